// See message_decoder.hpp: heads, bodies and trailers out of bytes.
#include "iolite/http/message_decoder.hpp"

#include "base/assert.hpp"
#include "http/characters.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace iolite::http {
namespace {

constexpr std::size_t around_a_target = 64;  // a method, a version and what is between them

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

field field_of(std::string_view line) noexcept {
  const std::size_t colon = line.find(':');
  return {line.substr(0, colon), without_space_around(line.substr(colon + 1))};
}

// The first line of a head is none of its fields.
void read_fields(std::string_view lines, bool is_head, std::vector<field>& to) {
  if (is_head) lines.remove_prefix(lines.find('\n') + 1);
  for (std::size_t end = lines.find('\r'); end > 0; end = lines.find('\r')) {
    to.push_back(field_of(lines.substr(0, end)));
    lines.remove_prefix(end + 2);
  }
}

// What a trailer may not say: it comes too late (RFC 9110, 6.5.1).
bool comes_too_late(std::string_view name) noexcept {
  constexpr std::string_view names[] = {
      "Content-Length", "Transfer-Encoding", "Host",          "Connection", "Trailer",
      "Content-Type",   "Content-Encoding",  "Content-Range", "Expect",     "Authorization",
      "Cookie",         "Set-Cookie",        "Upgrade",       "TE"};
  return std::ranges::any_of(names, [&](std::string_view one) { return same_name(one, name); });
}

// Why a line is no field; a null view: it is one.
std::string_view mistake_in_field(std::string_view line) noexcept {
  if (line.front() == ' ' || line.front() == '\t') return "a field is folded over two lines";
  const std::size_t colon = line.find(':');
  if (colon == line.npos) return "a field has no colon";
  if (!is_token(line.substr(0, colon))) return "the name of a field is not a token";
  if (!is_value(line.substr(colon + 1))) return "a field has a character that none may have";
  return {};
}

}  // namespace

void decoder::feed(std::span<const std::byte> bytes) noexcept {
  if (phase_ == phase::over || status_ != 0) return;
  IOLITE_ASSERT(input_.empty(), "feed() follows a next() that gave event::more");
  input_ = bytes;
}

result<event> decoder::next() {
  body_ = {};
  try {
    while (status_ == 0) {
      if (const auto e = step(); e && status_ == 0) return *e;
    }
  } catch (const std::bad_alloc&) {  // in the middle of a head: what follows would be read as one
    fail(std::errc::not_enough_memory, 503, "there is no memory for a head");
    forget_blocks();
    throw;
  }
  forget_blocks();
  return std::unexpected(std::make_error_code(code_));
}

void decoder::forget_blocks() noexcept {
  head_ = block();
  trailers_ = block();
}

bool decoder::fail(std::errc code, unsigned status, std::string_view why) noexcept {
  code_ = code;
  status_ = status;
  why_ = why;
  input_ = {};
  return false;
}

bool decoder::refuse(unsigned status, std::string_view why) noexcept {
  if (status == 413) return fail(std::errc::message_size, status, why);
  return fail(status == 501 ? std::errc::not_supported : std::errc::protocol_error, status, why);
}

bool decoder::in_the_middle() const noexcept {
  if (phase_ == phase::head) return head_.store.size() > head_.begin;
  return phase_ > phase::head && phase_ < phase::upgraded;
}

std::size_t decoder::memory_bytes() const noexcept {
  const auto of = [](const block& b) {
    return b.store.capacity() + b.fields.capacity() * sizeof(field);
  };
  return of(head_) + of(trailers_);
}

std::optional<event> decoder::step() {
  switch (phase_) {
  case phase::between: return step_between();
  case phase::head: return step_head();
  case phase::sized: return step_body(phase::end);
  case phase::chunk_line: return step_chunk_line();
  case phase::chunk: return step_body(phase::chunk_cr);
  case phase::chunk_cr: return step_mark('\r', phase::chunk_lf);
  case phase::chunk_lf: return step_mark('\n', phase::chunk_line);
  case phase::trailers: return step_trailers();
  case phase::until_end: return step_body(phase::until_end);
  case phase::end: return step_end();
  case phase::upgraded: return event::upgraded;
  case phase::over:
    input_ = {};
    forget_blocks();
    break;
  }
  return event::more;
}

// Nobody refers to the message before any more.
std::optional<event> decoder::step_between() noexcept {
  forget_blocks();
  phase_ = phase::head;
  return std::nullopt;
}

std::optional<event> decoder::step_head() {
  const auto text = take_block(head_);
  if (!text.data()) return event::more;
  read_fields(text, true, head_.fields);
  phase_ = phase::end;  // unless there is a body
  return take_head(text, field_list(head_.fields)) ? event::head : event::more;
}

void decoder::begin_body(const message_head& head) noexcept {
  keep_alive_ = head.keep_alive;
  left_ = head.content_length;
  extension_bytes_ = 0;
  chunk_ = {};
  switch (head.body) {
  case framing::none: phase_ = phase::end; break;
  case framing::length: phase_ = left_ > 0 ? phase::sized : phase::end; break;
  case framing::chunked: phase_ = phase::chunk_line; break;
  case framing::until_end:
    phase_ = phase::until_end;
    left_ = ~std::uint64_t{0};
    break;
  }
}

std::optional<event> decoder::step_body(phase behind) noexcept {
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input_.size()));
  if (n == 0) return event::more;
  body_ = input_.first(n);
  input_ = input_.subspan(n);
  if (phase_ != phase::until_end) left_ -= n;
  if (left_ == 0) phase_ = behind;
  return event::body;
}

std::optional<event> decoder::step_end() noexcept {
  phase_ = keep_alive_ ? phase::between : phase::over;
  return event::end;
}

// --- chunks ---

std::optional<event> decoder::step_chunk_line() noexcept {
  if (input_.empty()) return event::more;
  const auto outcome = chunk_.take(static_cast<char>(input_.front()));
  input_ = input_.subspan(1);
  if (outcome == chunk_line::outcome::wrong)
    return wrong("the line of a chunk is wrong"), event::more;
  if (chunk_.in_extension() && ++extension_bytes_ > limits_.chunk_extension_bytes_max)
    return fail(std::errc::message_size, 413, "the extensions of chunks are too long"), event::more;
  if (outcome == chunk_line::outcome::end) begin_chunk();
  return std::nullopt;
}

void decoder::begin_chunk() noexcept {
  left_ = std::exchange(chunk_, {}).size();
  phase_ = left_ > 0 ? phase::chunk : phase::trailers;
}

std::optional<event> decoder::step_mark(char expected, phase behind) noexcept {
  if (input_.empty()) return event::more;
  if (static_cast<char>(input_.front()) != expected)
    return wrong("a chunk is longer than it says"), event::more;
  input_ = input_.subspan(1);
  phase_ = behind;
  return std::nullopt;
}

std::optional<event> decoder::step_trailers() {
  const auto text = take_block(trailers_);
  if (!text.data()) return event::more;
  read_fields(text, false, trailers_.fields);
  for (const field& f : trailers_.fields) {
    if (comes_too_late(f.name)) return wrong("a trailer belongs in the head"), event::more;
  }
  phase_ = phase::end;
  return std::nullopt;
}

// --- lines up to an empty one ---

// Where they are cut they are copied, and no more than the limit and one byte.
std::string_view decoder::take_block(block& b) {
  const std::size_t before = b.store.size();
  std::string_view text = text_of(input_);
  if (text.size() > limits_.head_bytes_max - before)
    text = text.substr(0, limits_.head_bytes_max - before + 1);
  if (before > 0) {
    b.store.insert(b.store.end(), text.begin(), text.end());
    text = {b.store.data(), b.store.size()};
  }
  const std::size_t end = end_of_block(b, text);
  if (end > 0) {
    input_ = input_.subspan(end - before);
    return text.substr(b.begin, end - b.begin);
  }
  if (before == 0 && status_ == 0) b.store.assign(text.begin(), text.end());
  input_ = {};
  return {};
}

// 0: it is not there yet, or it has failed.
std::size_t decoder::end_of_block(block& b, std::string_view text) noexcept {
  const auto allowed = text.substr(0, limits_.head_bytes_max);
  for (std::size_t lf = allowed.find('\n', b.searched); lf != allowed.npos;
       lf = allowed.find('\n', b.searched)) {
    const std::string_view line = allowed.substr(b.line, lf - b.line);
    b.line = b.searched = lf + 1;
    const bool ahead = is_head(b) && b.lines == 0 && b.begin == 0;
    if (line == "\r" && !ahead) return b.lines > 0 || !is_head(b) ? lf + 1 : refuse_empty();
    if (line == "\r") b.begin = lf + 1;
    else if (!check_line(b, line)) return 0;
  }
  b.searched = allowed.size();
  check_rest(b, text);
  return 0;
}

std::size_t decoder::refuse_empty() noexcept {
  wrong("empty lines where a message should begin");
  return 0;
}

// A line with its CR.
bool decoder::check_line(block& b, std::string_view line) noexcept {
  const bool first = is_head(b) && b.lines == 0;
  if (first && !check_beginning(line)) return false;
  if (!line.ends_with('\r')) return wrong("a line ends without CR");
  line.remove_suffix(1);
  if (b.lines++ == 0 && first) return check_first_line(line);
  if (b.lines - (is_head(b) ? 1 : 0) > limits_.fields_max)
    return fail(std::errc::message_size, 431, "there are too many fields");
  const auto mistake = mistake_in_field(line);
  return mistake.empty() || wrong(mistake);
}

// Of the first line, as soon as it has begun: the same whether it is whole or not.
bool decoder::check_beginning(std::string_view line) noexcept {
  if (!line.empty() && line.front() != '\r' && !is_token_character(line.front()))
    return wrong("this is not HTTP");
  const std::size_t n = line.size();
  if (n <= around_a_target || n - around_a_target <= limits_.target_bytes_max) return true;
  return fail(std::errc::message_size, 414, "the target is too long");
}

// Of a line that is not whole, what can be known already.
void decoder::check_rest(const block& b, std::string_view text) noexcept {
  if (is_head(b) && b.lines == 0 && !check_beginning(text.substr(b.line))) return;
  if (text.size() > limits_.head_bytes_max)
    fail(std::errc::message_size, 431, "a head is too long");
}

}  // namespace iolite::http
