// See websocket_decoder.hpp: bytes in, messages out.
#include "iolite/codec/websocket_decoder.hpp"

#include "base/assert.hpp"
#include "codec/websocket_mask.hpp"

#include <algorithm>
#include <new>

namespace iolite::ws {
namespace {

constexpr unsigned first_two = 2;
constexpr unsigned key_bytes = 4;

std::uint64_t big_endian(std::span<const std::byte> bytes) noexcept {
  std::uint64_t n = 0;
  for (const std::byte b : bytes) n = n << 8 | std::to_integer<std::uint64_t>(b);
  return n;
}

void release(std::vector<std::byte>& memory) noexcept { std::vector<std::byte>().swap(memory); }

}  // namespace

void decoder::feed(std::span<std::byte> bytes) noexcept {
  if (closed_ || code_ != std::errc{}) return;
  IOLITE_ASSERT(input_.empty(), "feed() follows a next() that gave nothing");
  input_ = bytes;
}

result<std::optional<event>> decoder::next() {
  drop_given();
  try {
    while (code_ == std::errc{} && !closed_) {
      if (!in_payload_ && !take_head()) break;
      if (!take_payload()) break;
      if (const auto e = end_frame()) return e;
    }
  } catch (const std::bad_alloc&) {  // a part of a message is lost
    static_cast<void>(fail(std::errc::not_enough_memory, "there is no memory for a message"));
    throw;
  }
  if (code_ == std::errc{}) return std::nullopt;
  return std::unexpected(std::make_error_code(code_));
}

bool decoder::fail(std::errc code, std::string_view why) noexcept {
  code_ = code;
  why_ = why;
  input_ = {};
  release(store_);
  return false;
}

void decoder::drop_given() noexcept {
  if (!given_) return;
  given_ = false;
  if (message_bytes_ == 0) release(store_);
  else store_.resize(message_bytes_);
}

// --- the head of a frame ---

unsigned decoder::length_bytes() const noexcept {
  const unsigned length = second_byte() & 0x7f;
  if (length < 126) return 0;
  return length == 126 ? 2 : 8;
}

unsigned decoder::head_bytes() const noexcept {
  if (head_size_ < first_two) return first_two;
  return first_two + length_bytes() + (self_ == role::server ? key_bytes : 0);
}

std::uint64_t decoder::length() const noexcept {
  if (length_bytes() == 0) return second_byte() & 0x7f;
  return big_endian(std::span(head_).subspan(first_two, length_bytes()));
}

bool decoder::take_head() noexcept {
  while (head_size_ < head_bytes()) {
    if (input_.empty()) return false;
    const std::size_t n = std::min<std::size_t>(head_bytes() - head_size_, input_.size());
    std::copy_n(input_.begin(), n, head_.begin() + head_size_);
    head_size_ = static_cast<std::uint8_t>(head_size_ + n);
    input_ = input_.subspan(n);
    if (!check_head()) return false;
  }
  begin_frame();
  return true;
}

// Each field as soon as it is there. What has been looked at before passes again.
bool decoder::check_head() noexcept {
  if (!check_first_byte()) return false;
  if (head_size_ < first_two) return true;
  if (!check_second_byte()) return false;
  return head_size_ < first_two + length_bytes() || check_length();
}

bool decoder::check_first_byte() noexcept {
  const auto kind = static_cast<opcode>(first_byte() & 0x0f);
  const bool begins = begins_message(kind);
  const bool has_begun = message_ != opcode::continuation;
  if ((first_byte() & 0x30) != 0)
    return fail(std::errc::protocol_error, "RSV2 or RSV3 is set, and no extension uses it");
  if ((first_byte() & 0x40) != 0 && !(begins && limits_.rsv1_allowed))
    return fail(std::errc::protocol_error, "RSV1 is set where no extension uses it");
  if (kind > opcode::pong || (kind > opcode::binary && kind < opcode::close))
    return fail(std::errc::protocol_error, "the opcode is reserved");
  if (is_control() && !is_last())
    return fail(std::errc::protocol_error, "a control frame is fragmented");
  if (begins && has_begun)
    return fail(std::errc::protocol_error, "a message begins within another one");
  if (kind == opcode::continuation && !has_begun)
    return fail(std::errc::protocol_error, "a continuation without a message");
  return true;
}

bool decoder::check_second_byte() noexcept {
  const bool masked = (second_byte() & 0x80) != 0;
  if (!masked && self_ == role::server)
    return fail(std::errc::protocol_error, "a frame of the client is not masked");
  if (masked && self_ == role::client)
    return fail(std::errc::protocol_error, "a frame of the server is masked");
  if (is_control() && (second_byte() & 0x7f) > control_payload_max)
    return fail(std::errc::protocol_error, "a control frame exceeds 125 bytes");
  return true;
}

// Before any memory is taken, and before anything is added to a length.
bool decoder::check_length() noexcept {
  const std::uint64_t bytes = length();
  if (length_bytes() == 8 && (bytes >> 63) != 0)
    return fail(std::errc::protocol_error, "a length has its highest bit set");
  if ((length_bytes() == 2 && bytes < 126) || (length_bytes() == 8 && bytes <= 0xffff))
    return fail(std::errc::protocol_error, "a length is not in its shortest form");
  if (is_control()) return true;
  if (bytes > limits_.frame_max) return fail(std::errc::message_size, "a frame is too long");
  if (bytes > limits_.message_max - message_bytes_)
    return fail(std::errc::message_size, "a message is too long");
  if (fragments_ >= limits_.fragments_max)
    return fail(std::errc::message_size, "a message has too many frames");
  return true;
}

void decoder::begin_frame() noexcept {
  in_payload_ = true;
  left_ = length();
  key_offset_ = 0;
  if (is_control()) return;
  ++fragments_;
  if (message_ != opcode::continuation) return;
  message_ = static_cast<opcode>(first_byte() & 0x0f);
  rsv1_ = (first_byte() & 0x40) != 0;
  utf8_.reset();
}

// --- its payload ---

// Whether `piece` bytes of input are all that the event is about.
bool decoder::is_alone(std::size_t piece) const noexcept {
  if (piece != left_ || store_.size() != message_bytes_) return false;
  return is_control() || (fragments_ == 1 && is_last() && message_bytes_ == 0);
}

bool decoder::take_payload() {
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input_.size()));
  const auto piece = input_.first(n);
  if (self_ == role::server) {
    const auto key = std::span(head_).subspan(head_size_ - key_bytes).first<key_bytes>();
    apply_mask(piece, key, key_offset_);
    key_offset_ = static_cast<std::uint8_t>((key_offset_ + n) % key_bytes);
  }
  input_ = input_.subspan(n);
  if (!check_text(piece)) return false;
  const bool alone = is_alone(n);
  left_ -= n;
  if (!alone) {
    store_.insert(store_.end(), piece.begin(), piece.end());
    if (!is_control()) message_bytes_ += n;
  }
  if (left_ > 0) return false;
  given_ = !alone;
  payload_ = alone ? piece : std::span(store_).subspan(is_control() ? message_bytes_ : 0);
  return true;
}

bool decoder::check_text(std::span<const std::byte> piece) noexcept {
  if (is_control() || message_ != opcode::text || rsv1_ || utf8_.take(piece)) return true;
  return fail(std::errc::illegal_byte_sequence, "text is not UTF-8");
}

bool decoder::check_end_of_text() noexcept {
  if (message_ != opcode::text || rsv1_ || utf8_.whole()) return true;
  return fail(std::errc::illegal_byte_sequence, "text ends within a character");
}

bool decoder::check_close(const event& e) noexcept {
  if (payload_.size() == 1) return fail(std::errc::protocol_error, "a close frame has half a code");
  if (!payload_.empty() && !may_be_sent(e.code))
    return fail(std::errc::protocol_error, "a close frame has a code that is never sent");
  return is_utf8(e.payload) || fail(std::errc::illegal_byte_sequence, "a reason is not UTF-8");
}

// --- what it ends ---

std::optional<event> decoder::end_frame() noexcept {
  in_payload_ = false;
  const auto e = is_control() ? end_control() : end_message();
  given_ = given_ && e;
  head_size_ = 0;
  return e;
}

std::optional<event> decoder::end_message() noexcept {
  if (!is_last()) return std::nullopt;
  if (!check_end_of_text()) return std::nullopt;
  const event whole{.what = message_, .payload = payload_, .rsv1 = rsv1_};
  message_ = opcode::continuation;
  message_bytes_ = fragments_ = 0;
  return whole;
}

std::optional<event> decoder::end_control() noexcept {
  const auto kind = static_cast<opcode>(first_byte() & 0x0f);
  if (kind == opcode::close) return end_close();
  ++control_frames_;
  return event{.what = kind, .payload = payload_};
}

// What has arrived of a message will never be whole.
std::optional<event> decoder::end_close() noexcept {
  event e{.what = opcode::close};
  if (payload_.size() >= 2) {
    e.payload = payload_.subspan(2);
    e.code = static_cast<close_code>(big_endian(payload_.first(2)));
  }
  if (!check_close(e)) return std::nullopt;
  closed_ = true;
  if (!given_) release(store_);
  message_ = opcode::continuation;
  message_bytes_ = fragments_ = 0;
  input_ = {};
  return e;
}

}  // namespace iolite::ws
