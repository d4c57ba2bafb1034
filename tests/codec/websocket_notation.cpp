#include "websocket_notation.hpp"

#include "iolite/codec/websocket_encoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace iolite_test {
namespace {

using namespace iolite;

unsigned number(std::string_view digits, int base) {
  unsigned n = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), n, base);
  EXPECT_TRUE(bad == std::errc{} && end == digits.data() + digits.size()) << digits;
  return n;
}

class reader {
 public:
  reader(std::string_view text, ws::role receiver) : text_(text), receiver_(receiver) {}

  std::string bytes() {
    std::string all;
    while (!text_.empty() && text_.front() != ']') all += repeated(item());
    return all;
  }

 private:
  char take() {
    const char c = text_.front();
    text_.remove_prefix(1);
    return c;
  }
  std::string_view take_until(std::string_view ends) {
    const std::string_view word = text_.substr(0, text_.find_first_of(ends));
    text_.remove_prefix(word.size());
    return word;
  }

  std::string item() {
    if (text_.front() == ' ') return take(), std::string();
    if (text_.front() == '\'') return take(), quoted();
    if (text_.front() == '[') return take(), frame();
    return hexadecimal(take_until(" *]'["));
  }
  std::string quoted() {
    std::string word(take_until("'"));
    take();
    return word;
  }
  static std::string hexadecimal(std::string_view digits) {
    std::string word;
    EXPECT_EQ(digits.size() % 2, 0U) << digits;
    for (; digits.size() >= 2; digits.remove_prefix(2))
      word += static_cast<char>(number(digits.substr(0, 2), 16));
    return word;
  }
  std::string repeated(const std::string& word) {
    if (text_.empty() || text_.front() != '*') return word;
    take();
    std::string all;
    for (unsigned n = number(take_until(" ]"), 10); n > 0; --n) all += word;
    return all;
  }
  std::string frame() {
    std::string payload = bytes();
    take();
    const char first = payload.front();
    payload.erase(0, 1);
    return head(first, payload.size()) + masked(payload);
  }
  // The encoder's, with another first byte: what it says about lengths has tests of its own.
  std::string head(char first, std::size_t size) const {
    const bool server = receiver_ == ws::role::server;
    const auto made = ws::frame_head::of(ws::opcode::binary, size,
                                         {.key = server ? std::optional(key) : std::nullopt});
    std::string text(reinterpret_cast<const char*>(made.bytes().data()), made.bytes().size());
    text.front() = first;
    return text;
  }
  std::string masked(std::string payload) const {
    if (receiver_ == ws::role::client) return payload;
    for (std::size_t i = 0; i < payload.size(); ++i)
      payload[i] = static_cast<char>(payload[i] ^ std::to_integer<char>(key[i % 4]));
    return payload;
  }

  static constexpr ws::masking_key key{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21},
                                       std::byte{0x3d}};
  std::string_view text_;
  ws::role receiver_;
};

std::string name_of(const ws::event& e) {
  switch (e.what) {
  case ws::opcode::text: return e.rsv1 ? "text+rsv1" : "text";
  case ws::opcode::binary: return e.rsv1 ? "binary+rsv1" : "binary";
  case ws::opcode::close: return "close " + std::to_string(static_cast<int>(e.code));
  case ws::opcode::ping: return "ping";
  case ws::opcode::pong: return "pong";
  case ws::opcode::continuation: break;
  }
  return "no event";
}

// `close(1000 'why')`: the code belongs to what it is.
ws_outcome::seen event_of(std::string_view name, std::string_view inside) {
  std::string what(name);
  if (name == "close") {
    what += " " + std::string(inside.substr(0, 4));
    inside.remove_prefix(4);
  }
  return {what, ws_bytes(inside, ws::role::client)};
}

}  // namespace

std::string ws_bytes(std::string_view notation, ws::role receiver) {
  return reader(notation, receiver).bytes();
}

ws_outcome ws_expected(std::string_view notation) {
  ws_outcome o;
  while (!notation.empty()) {
    if (notation.starts_with(' ')) {
      notation.remove_prefix(1);
    } else if (notation.starts_with('!')) {
      o.refused = static_cast<int>(number(notation.substr(1), 10));
      return o;
    } else if (notation == "...") {
      o.cut = true;
      return o;
    } else {
      const std::size_t open = notation.find('('), close = notation.find(')');
      o.events.push_back(
          event_of(notation.substr(0, open), notation.substr(open + 1, close - open - 1)));
      notation.remove_prefix(close + 1);
    }
  }
  return o;
}

std::string to_string(const ws_outcome& o) {
  std::string text;
  for (const auto& [what, payload] : o.events) {
    text += what + ", " + std::to_string(payload.size()) + " bytes: ";
    text += payload.substr(0, 40) + "\n";
  }
  if (o.refused != 0) text += "refused: " + std::to_string(o.refused) + "\n";
  return text + (o.cut ? "not whole\n" : "");
}

ws_outcome ws_decoded(ws::decoder& d, const std::vector<std::string_view>& pieces) {
  ws_outcome o;
  for (const auto piece : pieces) {
    const auto copy = std::make_unique<std::byte[]>(piece.size());
    std::ranges::copy(std::as_bytes(std::span(piece)), copy.get());
    d.feed({copy.get(), piece.size()});
    for (;;) {
      const auto e = d.next();
      if (!e) {
        o.refused = static_cast<int>(ws::close_code_for(e.error()));
        return o;
      }
      if (!*e) break;
      o.events.push_back({name_of(**e), std::string((*e)->text())});
    }
  }
  o.cut = d.in_the_middle();
  return o;
}

}  // namespace iolite_test
