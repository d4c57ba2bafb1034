// The HTTP/1.1 decoders against requests.vectors and responses.vectors, at every split of their
// bytes. A canary lies behind each: it comes out where the connection goes on, and never else.
#include "vectors.hpp"

#include "iolite/http/decoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace iolite_test {
namespace {

using namespace iolite;

std::size_t number(std::string_view digits, int base) {
  std::size_t n = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), n, base);
  return n;
}

// One character, or one escape, of the notation.
std::string take_one(std::string_view& text) {
  const auto take = [&text](std::size_t n) {
    const auto front = text.substr(0, n);
    text.remove_prefix(std::min(n, text.size()));
    return std::string(front);
  };
  constexpr std::string_view line_end = "⏎";
  if (text.starts_with(line_end)) return take(line_end.size()), "\r\n";
  if (!text.starts_with('\\')) return take(1);
  take(1);
  const char kind = take(1).front();
  if (kind == 'x') return {static_cast<char>(number(take(2), 16))};
  constexpr std::string_view names = "rnt0\\";
  constexpr std::string_view meanings{"\r\n\t\0\\", 5};
  return {meanings.at(names.find(kind))};
}

std::string unpacked(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const std::size_t star = text.find('*'), close = text.find('}');
    const bool repeats = text.starts_with('{') && star == 2 && close != text.npos;
    if (!repeats) {
      bytes += take_one(text);
      continue;
    }
    bytes.append(number(text.substr(star + 1, close - star - 1), 10), text[1]);
    text.remove_prefix(close + 1);
  }
  return bytes;
}

http::limits limits_of(std::string_view options) {
  http::limits most;
  const auto set = [&](std::string_view name, std::size_t& limit) {
    const std::size_t at = options.find(name);
    if (at != options.npos) limit = number(options.substr(at + name.size()), 10);
  };
  set("head=", most.head_bytes_max);
  set("fields=", most.fields_max);
  set("target=", most.target_bytes_max);
  set("extensions=", most.chunk_extension_bytes_max);
  return most;
}

bool has(std::string_view options, std::string_view one) {
  return options.find(one) != options.npos;
}

std::string common(const http::message_head& head) {
  std::string text;
  if (head.minor_version == 0) text += " 1.0";
  if (!head.keep_alive) text += " close";
  if (head.body == http::framing::chunked) text += " chunked";
  if (head.body == http::framing::until_end) text += " until-end";
  return text;
}

std::string head_text(const http::request_decoder& d) {
  const auto& head = d.head();
  std::string text = std::string(head.method) + " " + std::string(head.target) + common(head);
  if (head.expects_continue) text += " continue";
  if (!head.upgrade.empty()) text += " upgrade(" + std::string(head.upgrade) + ")";
  return text;
}

std::string head_text(const http::response_decoder& d) {
  const auto& head = d.head();
  const std::string reason = head.reason.empty() ? "" : " " + std::string(head.reason);
  return std::to_string(head.status) + reason + common(head);
}

std::string refusal(const http::request_decoder& d) { return std::to_string(d.status()); }
std::string refusal(const http::response_decoder&) { return "refused"; }

void prepare(http::request_decoder&, std::string_view) {}
void prepare(http::response_decoder& d, std::string_view options) {
  if (has(options, "HEAD")) d.expect("HEAD");
  if (has(options, "CONNECT")) d.expect("CONNECT");
}

void grant(http::request_decoder& d, std::string_view options) {
  const bool may = !d.head().upgrade.empty() || d.head().method == "CONNECT";
  if (may && has(options, "upgrade")) d.upgrade();
}
void grant(http::response_decoder&, std::string_view) {}

// Everything a decoder says, as the vectors write it.
template <class Decoder>
class player {
 public:
  explicit player(std::string_view options) : decoder_(limits_of(options)), options_(options) {
    prepare(decoder_, options);
  }

  // False: it takes no more.
  bool feed(std::string_view bytes) {
    if (upgraded_) return unused_ += bytes, true;
    // Of just that size, and kept: heads refer to it.
    auto& copy = fed_.emplace_back(std::make_unique<std::byte[]>(bytes.size()));
    std::ranges::copy(std::as_bytes(std::span(bytes)), copy.get());
    decoder_.feed({copy.get(), bytes.size()});
    while (take()) {
    }
    return !refused_;
  }
  std::string end() {
    if (refused_) return text_;
    if (has(options_, "end")) end_of_stream(decoder_);
    else if (decoder_.in_the_middle()) begin() += "...";
    finish();
    return text_;
  }

 private:
  bool take() {
    const auto e = decoder_.next();
    if (!e) {
      refused_ = true;
      begin() += refusal(decoder_);
      return false;
    }
    switch (*e) {
    case http::event::more: return false;
    case http::event::head:
      begin() += head_text(decoder_);
      inside_ = true;
      grant(decoder_, options_);
      return true;
    case http::event::body: return append(body_, decoder_.body()), true;
    case http::event::end: finish(); return true;
    case http::event::upgraded: append(unused_, decoder_.unused()), upgraded_ = true; break;
    }
    return false;
  }
  static void append(std::string& to, std::span<const std::byte> bytes) {
    to.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  // Where the next words belong: to the message that has begun, or behind it.
  std::string& begin() {
    if (inside_) add_body();
    if (!text_.empty()) text_ += inside_ ? " " : " + ";
    return text_;
  }
  void add_body() {
    if (!body_.empty()) text_ += " body(" + body_ + ")";
    body_.clear();
  }
  void finish() {
    add_body();
    for (const auto& [name, value] : decoder_.trailers())
      text_.append(" trailer(").append(name).append(": ").append(value).append(")");
    if (upgraded_) text_ += " unused(" + unused_ + ")";
    inside_ = false;
  }
  void end_of_stream(http::response_decoder& d) {
    const auto e = d.end_of_stream();
    if (!e) begin() += e.error() == errc::truncated ? "truncated" : "another error";
    else if (*e == http::event::end) begin() += "ended";
  }
  void end_of_stream(http::request_decoder&) {}

  Decoder decoder_;
  std::string_view options_;
  std::vector<std::unique_ptr<std::byte[]>> fed_;
  std::string text_, body_, unused_;
  bool inside_ = false, upgraded_ = false, refused_ = false;
};

struct canary {
  std::string_view bytes, outcome;
};

// Whether it comes out: nothing was refused, nothing has ended.
bool lives(std::string_view expected) {
  const std::size_t plus = expected.rfind(" + ");
  const auto last = plus == expected.npos ? expected : expected.substr(plus + 3);
  const auto word = last.substr(last.rfind(' ') + 1);
  const bool status = word.size() == 3 && word.find_first_not_of("0123456789") == word.npos &&
                      word.front() >= '4' && last.find("HTTP") == last.npos;
  return !has(last, " close") && !has(last, "refused") && !(status && !has(last, "299"));
}

template <class Decoder>
void check(const vector_line& v, const canary& bird) {
  const std::string& options = v.fields[1];
  std::string bytes = unpacked(v.fields[2]), expected = unpacked(v.fields[3]);
  if (!has(options, "cut") && !has(options, "end") && !has(options, "upgrade")) {
    bytes += bird.bytes;
    if (lives(expected)) expected.append(expected.empty() ? "" : " + ").append(bird.outcome);
  }
  for_each_cut(bytes, [&](const std::vector<std::string_view>& pieces) {
    player<Decoder> p(options);
    for (const auto piece : pieces) {
      if (!p.feed(piece)) break;
    }
    const std::string seen = p.end();
    if (seen == expected) return true;
    ADD_FAILURE() << v.at << ", " << cuts(pieces) << "\nexpected: " << expected
                  << "\nseen:     " << seen;
    return false;
  });
}

template <class Decoder>
void check_all(std::string_view file, std::size_t at_least, const canary& bird) {
  const auto all = read_vectors(file, 4);
  EXPECT_GE(all.size(), at_least) << "vectors";
  for (const auto& v : all) check<Decoder>(v, bird);
}

TEST(http_vectors, requests_are_what_they_say_at_every_split) {
  check_all<http::request_decoder>("requests.vectors", 300,
                                   {"GET /canary HTTP/1.1\r\nHost: canary\r\n\r\n", "GET /canary"});
}

TEST(http_vectors, responses_are_what_they_say_at_every_split) {
  check_all<http::response_decoder>(
      "responses.vectors", 80, {"HTTP/1.1 299 canary\r\nContent-Length: 0\r\n\r\n", "299 canary"});
}

}  // namespace
}  // namespace iolite_test
