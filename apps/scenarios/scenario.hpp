// What `iolite simulate` runs: programs that talk to each other in a simulated world, and what must
// hold of them in the end. Each is a file of this folder.
#pragma once
#include "iolite/iolite.hpp"
#include "iolite/simulate.hpp"

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace iolite::app {

// One run of a scenario: what its programs share. It outlives their world.
class story {
 public:
  story() = default;
  story(const story&) = delete;
  story& operator=(const story&) = delete;
  virtual ~story() = default;
  // Hosts, programs and plans. `chance` is drawn from the seed.
  virtual void build(simulate::world& w, const std::string& model, std::uint64_t seed) = 0;
  // Once all has ended: what does not hold, or nothing.
  [[nodiscard]] std::string complaint() const { return wrong_.empty() ? verdict() : wrong_; }

 protected:
  [[nodiscard]] virtual std::string verdict() const { return {}; }
  // For handlers, of which an exception ends but one connection; programs use simulate::check().
  void must(bool holds, std::string_view what) {
    if (!holds && wrong_.empty()) wrong_ = what;
  }

 private:
  std::string wrong_;
};

struct scenario {
  std::string_view name;
  std::string_view what;  // a line for people
  std::unique_ptr<story> (*make)();
  // It survives connections that the network cuts.
  bool meets_resets;
};

[[nodiscard]] std::span<const scenario> scenarios() noexcept;

// --- for the scenarios ---

[[nodiscard]] std::unique_ptr<story> make_echo();
[[nodiscard]] std::unique_ptr<story> make_relay();
[[nodiscard]] std::unique_ptr<story> make_fanout();
[[nodiscard]] std::unique_ptr<story> make_pool_drain();
[[nodiscard]] std::unique_ptr<story> make_half_close();
[[nodiscard]] std::unique_ptr<story> make_chat();
[[nodiscard]] std::unique_ptr<story> make_log();
[[nodiscard]] std::unique_ptr<story> make_careless();

[[nodiscard]] endpoint parse(const std::string& address);
// `bytes` bytes of which each place can be recognised.
[[nodiscard]] std::string sample_text(std::size_t bytes, unsigned seed);
// A connection; tried again until it is made.
[[nodiscard]] task<stream> connect_at_last(endpoint to);
// Up to the end of the stream; an error in `why`.
[[nodiscard]] task<std::string> receive_until_end(stream& from, std::error_code& why);
[[nodiscard]] std::string_view text_of(std::span<const std::byte> bytes) noexcept;

// Numbers from a seed, the same with every library.
class chance {
 public:
  explicit chance(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t below(std::uint64_t n) noexcept {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;  // splitmix64
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (z ^ (z >> 31)) % n;
  }

 private:
  std::uint64_t state_;
};

}  // namespace iolite::app
