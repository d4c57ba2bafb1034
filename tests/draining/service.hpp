// The service that is stopped, and how: drawn by a seed.
#pragma once
#include "iolite/iolite.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <random>
#include <string_view>

namespace iolite_test {

using namespace std::chrono_literals;

// A request says how long it takes, and how much is answered: pattern(bytes, work_us).
struct job {
  std::uint32_t work_us = 0, bytes = 0;
};
[[nodiscard]] iolite::task<> serve_jobs(iolite::stream peer);

enum class stop_by : std::uint8_t { term, interrupt, term_to_group, interrupt_to_group, twice };
[[nodiscard]] std::string_view name_of(stop_by by) noexcept;

struct plan {
  explicit plan(std::uint64_t s);
  [[nodiscard]] std::uint32_t below(std::uint32_t n) {
    return static_cast<std::uint32_t>(chance() % n);
  }
  // A second signal ends the server at once: it loses what it was doing, and may.
  [[nodiscard]] bool is_hard() const noexcept { return by == stop_by::twice; }

  const std::uint64_t seed;
  std::mt19937_64 chance;
  stop_by by;
  std::chrono::microseconds stop, successor_begins;  // after the beginning
  bool successor, unix_path, faults, small_buffers;
  unsigned clients;
};

// What a variable of the environment asks for.
[[nodiscard]] std::uint64_t number_from(const char* variable, std::uint64_t usual);

}  // namespace iolite_test
