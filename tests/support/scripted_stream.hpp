// A connection without a socket: what arrives, how it is cut, how it ends and what sends meet is a
// script. It models byte_stream, so that what is written against that can be tested with any split
// and any error.
#pragma once
#include "iolite/iolite.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace iolite_test {

class scripted_stream {
 public:
  // --- the script, before the stream is used ---

  // The next piece that arrives: a receive gives no more than that, however much room it has.
  scripted_stream& receives(std::string_view piece);
  // All of `bytes`, in pieces of that size.
  scripted_stream& receives_in_pieces(std::string_view bytes, std::size_t size);
  // What a receive meets after the pieces, again and again: an error; nothing, until it is
  // cancelled, closed or idle for too long. Without one of these two: the end of the stream.
  scripted_stream& then_fails(std::error_code why);
  scripted_stream& then_is_silent();
  // So many bytes can be sent, then a send fails.
  scripted_stream& takes(std::size_t bytes, std::error_code then);
  // Each operation lets other tasks run before it ends.
  scripted_stream& pauses();

  // --- what it has seen ---

  [[nodiscard]] const std::string& sent() const noexcept { return sent_; }
  [[nodiscard]] int sends() const noexcept { return sends_; }
  [[nodiscard]] bool is_shut() const noexcept { return shut_; }
  [[nodiscard]] bool is_open() const noexcept { return !closed_.is_set(); }
  [[nodiscard]] iolite::clock::duration idle_timeout() const noexcept { return idle_; }

  // --- byte_stream ---

  class lent {
   public:
    explicit lent(std::string bytes) : bytes_(std::move(bytes)) {}
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
      return std::as_bytes(std::span(bytes_));
    }

   private:
    std::string bytes_;
  };
  [[nodiscard]] iolite::task<iolite::result<std::size_t>> recv(std::span<std::byte> into);
  [[nodiscard]] iolite::task<iolite::result<void>> recv_all(std::span<std::byte> into);
  [[nodiscard]] iolite::task<iolite::result<lent>> recv_lease();
  [[nodiscard]] iolite::task<iolite::result<std::size_t>> send_all(std::span<const std::byte> from);
  [[nodiscard]] iolite::task<iolite::result<std::size_t>>
  send_all(std::span<const iolite::piece> pieces);
  [[nodiscard]] iolite::task<iolite::result<void>> shutdown_write();
  [[nodiscard]] iolite::task<void> finish(iolite::clock::duration limit);
  void close() noexcept { closed_.set(); }
  void set_idle_timeout(iolite::clock::duration limit) noexcept { idle_ = limit; }

 private:
  [[nodiscard]] iolite::task<iolite::result<std::string>> next_piece(std::size_t max,
                                                                     iolite::clock::duration limit);
  [[nodiscard]] iolite::task<iolite::result<void>> begin();
  [[nodiscard]] iolite::result<std::size_t> take(std::span<const std::byte> from);

  iolite::event closed_;
  iolite::clock::duration idle_ = iolite::clock::duration::zero();
  bool pauses_ = false;
  // Of the receiving side.
  std::deque<std::string> pieces_;
  std::error_code fault_;
  bool silent_ = false;
  // Of the sending side, which may be another thread.
  std::string sent_;
  int sends_ = 0;
  bool shut_ = false;
  std::size_t room_ = static_cast<std::size_t>(-1);
  std::error_code send_fault_;
};
static_assert(iolite::byte_stream<scripted_stream>);

}  // namespace iolite_test
