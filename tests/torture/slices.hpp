// Deals a test out to a few processes. The body runs in each of them with its share.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace iolite_test {

struct shared_counts;

class share {
 public:
  share(unsigned mine, unsigned all, shared_counts& counts) noexcept
      : mine_(mine), all_(all), counts_(counts) {}

  // Whether number `n`, of which every `stride`-th is played at all, is in this share.
  [[nodiscard]] bool has(std::uint64_t n, unsigned stride) const noexcept {
    return n % stride == 0 && n / stride % all_ == mine_;
  }
  // Printed when this process stops, or is not over in time.
  void playing(std::string_view scenario, std::string_view engine,
               std::string_view fault) const noexcept;
  [[nodiscard]] std::string what() const;
  void count(bool took_effect) const noexcept;
  // This process, or a child of it, was stopped by a crash.
  [[nodiscard]] bool crashed() const noexcept;

 private:
  const unsigned mine_;
  const unsigned all_;
  shared_counts& counts_;
};

struct shares {
  int failed = 0;  // processes
  std::string errors;
  std::uint64_t plays = 0;
  std::uint64_t took_effect = 0;
};

[[nodiscard]] shares run_shares(unsigned processes, const std::function<void(const share&)>& body);

}  // namespace iolite_test
