#include "http/http_answers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace iolite::app {

namespace {

constexpr std::uint64_t body_bytes_max = std::uint64_t{1} << 60;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Whether a list with commas has this word.
bool has_word(std::string_view list, std::string_view word) {
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    if (same_word(trimmed(list.substr(begin, end - begin)), word)) return true;
    begin = end + 1;
  }
  return false;
}

// All of `text`, up to the bound.
bool read_number(std::string_view text, int base, std::uint64_t& n) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), n, base);
  return error == std::errc() && stop == text.data() + text.size() && n <= body_bytes_max;
}

bool without_body(unsigned status) { return status < 200 || status == 204 || status == 304; }

}  // namespace

std::expected<progress, std::string> http_answers::take(std::span<const std::byte> arrived) {
  progress p;
  std::string_view text(reinterpret_cast<const char*>(arrived.data()), arrived.size());
  while (!text.empty()) {
    if (at_ == part::until_close) break;
    if (at_ == part::body || at_ == part::chunk) {
      const std::uint64_t n = std::min<std::uint64_t>(left_, text.size());
      text.remove_prefix(n);
      left_ -= n;
      if (left_ > 0) break;
      if (at_ == part::body) complete(p);
      else at_ = part::chunk_end;
      continue;
    }
    const std::size_t newline = text.find('\n');
    line_ += text.substr(0, newline);
    head_bytes_ += std::min(newline, text.size()) + 1;
    if (head_bytes_ > head_bytes_max)
      return std::unexpected(fmt::format("the head of an answer is longer than {} bytes: is this "
                                         "an HTTP server?",
                                         head_bytes_max));
    if (newline == std::string_view::npos) break;
    text.remove_prefix(newline + 1);
    if (line_.ends_with('\r')) line_.pop_back();
    const std::string wrong = take_line(line_, p);
    line_.clear();
    if (!wrong.empty()) return std::unexpected(wrong);
  }
  return p;
}

bool http_answers::end() noexcept {
  if (at_ != part::until_close || due_ == 0) return false;
  inside_ = false;
  closing_ = true;
  --due_;
  return status_ < 400;
}

std::string http_answers::take_line(std::string_view line, progress& p) {
  switch (at_) {
  case part::head:
    if (status_ == 0) return status_line(line);
    return line.empty() ? end_of_head(p) : field_line(line);
  case part::chunk_size: return chunk_line(line);
  case part::chunk_end:
    if (!line.empty()) return "a chunk of an answer is longer than it says";
    at_ = part::chunk_size;
    return {};
  default:  // the trailer
    if (line.empty()) complete(p);
    return {};
  }
}

std::string http_answers::status_line(std::string_view line) {
  if (due_ == 0) return "the server sends an answer that was not asked for";
  std::uint64_t number = 0;
  if (!line.starts_with("HTTP/1.") || line.size() < 12 ||
      !read_number(line.substr(9, 3), 10, number) || number < 100)
    return fmt::format("'{}' is no HTTP answer: is this an HTTP/1.1 server?", line.substr(0, 40));
  inside_ = true;
  status_ = static_cast<unsigned>(number);
  reason_ = line.substr(9);
  closing_ = line.starts_with("HTTP/1.0");
  return {};
}

std::string http_answers::field_line(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return "a field of an answer has no colon";
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (same_word(name, "content-length")) {
    const bool again = has_length_;
    std::uint64_t n = 0;
    if (!read_number(value, 10, n) || (again && n != left_))
      return fmt::format("'{}' is no Content-Length", value.substr(0, 40));
    left_ = n;
    has_length_ = true;
  } else if (same_word(name, "transfer-encoding")) {
    chunked_ = has_word(value, "chunked");
  } else if (same_word(name, "connection")) {
    if (has_word(value, "close")) closing_ = true;
    if (has_word(value, "keep-alive")) closing_ = false;
  }
  return {};
}

// RFC 9112, 6.3: what determines the length of a body.
std::string http_answers::end_of_head(progress& p) {
  if (status_ == 101) return "the server switches to another protocol";
  if (status_ < 200) {  // another head follows
    status_ = 0;
    head_bytes_ = 0;
    return {};
  }
  if (without_body(status_) || (!chunked_ && has_length_ && left_ == 0)) complete(p);
  else if (chunked_) at_ = part::chunk_size;
  else if (has_length_) at_ = part::body;
  else at_ = part::until_close;
  if (at_ == part::until_close) closing_ = true;
  return {};
}

std::string http_answers::chunk_line(std::string_view line) {
  const std::string_view size = trimmed(line.substr(0, line.find(';')));
  if (!read_number(size, 16, left_))
    return fmt::format("'{}' is no size of a chunk", size.substr(0, 40));
  at_ = left_ > 0 ? part::chunk : part::trailer;
  head_bytes_ = 0;
  return {};
}

void http_answers::complete(progress& p) {
  --due_;
  if (status_ < 400) {
    ++p.answers;
  } else {
    if (p.refused++ == 0) p.why = fmt::format("the server answered {}", reason_);
  }
  at_ = part::head;
  inside_ = chunked_ = has_length_ = false;
  status_ = 0;
  left_ = 0;
  head_bytes_ = 0;
}

}  // namespace iolite::app
