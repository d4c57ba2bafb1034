// Operating errors are values: result<T> holds a T or the std::error_code that says why not.
//
// Codes from the system are in std::system_category() and compare with std::errc. Two of them mean
// the same on every engine: std::errc::operation_canceled (somebody asked for an early end) and
// std::errc::timed_out (the deadline passed). The library adds iolite::errc.
#pragma once
#include <expected>
#include <string>
#include <system_error>

namespace iolite {

template <class T>
using result = std::expected<T, std::error_code>;

enum class errc {
  end_of_stream = 1,  // recv_all(): the peer ended the stream before the buffer was full
  closed,             // channel: nothing can be sent, or nothing is left to receive
  truncated,          // frames, lines: the peer ended the stream within a message or line
};

[[nodiscard]] const std::error_category& category() noexcept;
[[nodiscard]] inline std::error_code make_error_code(errc e) noexcept {
  return {static_cast<int>(e), category()};
}

// The kernel's convention (-errno) as a result's error.
[[nodiscard]] inline std::unexpected<std::error_code> failure(int negative_errno) noexcept {
  return std::unexpected(std::error_code(-negative_errno, std::system_category()));
}

// An error with the one line a person needs: what failed, and what to do about it.
struct error {
  std::error_code code;
  std::string message;
};

}  // namespace iolite

template <>
struct std::is_error_code_enum<iolite::errc> : std::true_type {};
