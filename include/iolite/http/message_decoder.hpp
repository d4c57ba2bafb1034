// What the decoders of requests and of responses share: limits, events and bodies. See decoder.hpp,
// which includes it.
#pragma once
#include "iolite/http/chunk_line.hpp"
#include "iolite/http/head.hpp"
#include "iolite/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace iolite::http {

// Each is checked before what exceeds it takes memory.
struct limits {
  std::size_t head_bytes_max = 16'384;  // of a head; the trailers of a body have as much again
  std::size_t fields_max = 100;  // of a head; trailers have as many again
  std::size_t target_bytes_max = 8'192;
  std::size_t chunk_extension_bytes_max = 1024;  // of all chunks of a body together
};

enum class event : std::uint8_t { more, head, body, end, upgraded };

// What both decoders share. Any thread, one call at a time.
class decoder {
 public:
  decoder(const decoder&) = delete;
  decoder& operator=(const decoder&) = delete;

  // Lends bytes until next() has said `more`, or longer: heads refer to them. What was fed before
  // must be used up; else the program stops.
  void feed(std::span<const std::byte> bytes) noexcept;

  // What comes next. An error stays: the connection is of no more use. It is
  //   std::errc::protocol_error   what no peer may send
  //   std::errc::message_size     more than the limits allow
  //   std::errc::not_supported    a method, version or coding that is not known here
  //   std::errc::not_enough_memory   after std::bad_alloc, which it throws where memory fails
  [[nodiscard]] result<event> next();

  // Of event::body; good until the next call of next().
  [[nodiscard]] std::span<const std::byte> body() const noexcept { return body_; }
  // Of event::end; good until the next call of next().
  [[nodiscard]] field_list trailers() const noexcept { return field_list(trailers_.fields); }
  // What was fed and is not used. Behind event::upgraded it belongs to the other protocol.
  [[nodiscard]] std::span<const std::byte> unused() const noexcept { return input_; }

  // After an error: what is wrong, in words for a log, and the status to answer a request with.
  [[nodiscard]] std::string_view why() const noexcept { return why_; }
  [[nodiscard]] unsigned status() const noexcept { return status_; }
  // Whether a message has begun that is not whole: an end of the stream cuts it.
  [[nodiscard]] bool in_the_middle() const noexcept;
  // Memory that is held beside the decoder itself, in bytes: that of the message that has begun,
  // and behind an upgrade that of its head. Else none.
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 protected:
  explicit decoder(const limits& most) noexcept : limits_(most) {}
  ~decoder() = default;

  // Where requests and responses differ.
  virtual bool check_first_line(std::string_view line) noexcept = 0;
  virtual bool take_head(std::string_view head, field_list fields) noexcept = 0;

  // Always false.
  bool fail(std::errc code, unsigned status, std::string_view why) noexcept;
  bool wrong(std::string_view why) noexcept { return fail(std::errc::protocol_error, 400, why); }
  // With the error that belongs to the status: 400, 413 or 501.
  bool refuse(unsigned status, std::string_view why) noexcept;
  void begin_body(const message_head& head) noexcept;
  void switch_protocols() noexcept { phase_ = phase::upgraded; }
  [[nodiscard]] bool ends_with_the_stream() const noexcept { return phase_ == phase::until_end; }
  void end_message() noexcept { phase_ = phase::over; }
  [[nodiscard]] std::error_code error() const noexcept {
    return status_ == 0 ? std::error_code() : std::make_error_code(code_);
  }

  limits limits_;

 private:
  enum class phase : std::uint8_t {
    between,
    head,
    sized,
    chunk_line,
    chunk,
    chunk_cr,
    chunk_lf,
    trailers,
    until_end,
    end,
    upgraded,
    over
  };
  // Lines up to an empty one: where they lie in the bytes that were fed, else copied.
  struct block {
    std::vector<char> store;
    std::vector<field> fields;
    std::size_t line = 0;  // where the line begins that is not whole
    std::size_t searched = 0;  // no LF from there to here
    std::size_t lines = 0;  // that are whole
    std::size_t begin = 0;  // behind an empty line ahead of a head
  };

  // Empty: another step has to say what comes next.
  [[nodiscard]] std::optional<event> step();
  [[nodiscard]] std::optional<event> step_between() noexcept;
  [[nodiscard]] std::optional<event> step_head();
  [[nodiscard]] std::optional<event> step_body(phase behind) noexcept;
  [[nodiscard]] std::optional<event> step_chunk_line() noexcept;
  [[nodiscard]] std::optional<event> step_mark(char expected, phase behind) noexcept;
  [[nodiscard]] std::optional<event> step_trailers();
  [[nodiscard]] std::optional<event> step_end() noexcept;
  void begin_chunk() noexcept;
  void forget_blocks() noexcept;

  // The text of the block that is whole; a null view: more bytes are needed, or it has failed.
  [[nodiscard]] std::string_view take_block(block& b);
  [[nodiscard]] std::size_t end_of_block(block& b, std::string_view text) noexcept;
  [[nodiscard]] std::size_t refuse_empty() noexcept;
  [[nodiscard]] bool check_line(block& b, std::string_view line) noexcept;
  [[nodiscard]] bool check_beginning(std::string_view line) noexcept;
  void check_rest(const block& b, std::string_view text) noexcept;
  [[nodiscard]] bool is_head(const block& b) const noexcept { return &b == &head_; }

  std::span<const std::byte> input_;
  std::span<const std::byte> body_;
  block head_, trailers_;
  std::uint64_t left_ = 0;  // bytes of the body, or of its chunk
  std::size_t extension_bytes_ = 0;
  chunk_line chunk_;
  std::string_view why_;
  unsigned status_ = 0;
  std::errc code_{};
  phase phase_ = phase::between;
  bool keep_alive_ = true;  // of the message that has begun
};

}  // namespace iolite::http
