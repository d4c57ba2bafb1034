// What a server tells its operator: see serve_options::log.
#pragma once
#include "iolite/clock.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace iolite {

enum class log_cause : std::uint8_t { no_descriptor, full, accept, failure, child, cut, hook };
// When each cause was last told. In memory that all processes of a server share.
using log_times = std::array<std::atomic<clock::rep>, 7>;

// Each line is one line, whatever text of a peer is in it, and each cause is told at most once a
// second: a full table must not fill a disk. Any thread.
class server_log {
 public:
  server_log(const std::function<void(std::string_view)>& to, log_times& last) noexcept
      : to_(to), last_(last) {}
  server_log(const server_log&) = delete;
  server_log& operator=(const server_log&) = delete;

  // `line` makes the text; without memory for it there is none.
  template <class Make>
  void tell(log_cause c, clock::time_point now, Make line) noexcept {
    if (!may_tell(c, now)) return;
    try {
      write(line());
    } catch (...) {  // NOLINT(bugprone-empty-catch): a log that fails harms nobody
    }
  }
  // serve() returns: threads that it leaves behind tell nothing more.
  void close() noexcept { closed_.store(true); }

 private:
  [[nodiscard]] bool may_tell(log_cause c, clock::time_point now) noexcept;
  void write(std::string_view text);

  const std::function<void(std::string_view)>& to_;
  log_times& last_;
  std::atomic<bool> closed_ = false;
};

}  // namespace iolite
