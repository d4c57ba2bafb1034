// Lines out of a stream of bytes. TCP knows no messages: a line may come in many pieces, and a
// piece may hold many lines, so what has come is kept until its newline is there.
#pragma once
#include <iolite/stream.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace tutorial {

// For those who receive by hand.
class line_splitter {
 public:
  // A peer that never sends a newline may not fill the memory.
  static constexpr std::size_t longest = 4096;

  void put(std::string_view bytes) { unread_ += bytes; }
  // The next line without its end, "\n" or "\r\n"; nothing while it is not whole.
  [[nodiscard]] std::optional<std::string> take();
  // What is left has more than `longest` bytes and no newline: give up on this peer.
  [[nodiscard]] bool too_long() const noexcept;

 private:
  std::string unread_;
};

// For coroutines. The stream outlives it.
class line_reader {
 public:
  explicit line_reader(iolite::stream& from) noexcept : from_(from) {}
  // Nothing after the last line, after an error, and instead of a line that is too long.
  [[nodiscard]] iolite::task<std::optional<std::string>> next();

 private:
  iolite::stream& from_;
  line_splitter lines_;
};

// In upper case, as far as ASCII goes.
[[nodiscard]] std::string upper(std::string_view text);

}  // namespace tutorial
