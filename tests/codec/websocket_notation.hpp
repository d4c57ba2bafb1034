// How websocket.vectors writes bytes and events.
#pragma once
#include "iolite/codec/websocket_decoder.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace iolite_test {

// `81 'text' 00*16 [82 ff]`: bytes; frames in brackets are masked for a server.
std::string ws_bytes(std::string_view notation, iolite::ws::role receiver);

// What a decoder gave, or is to give.
struct ws_outcome {
  struct seen {
    std::string what;
    std::string payload;
    bool operator==(const seen&) const = default;
  };
  std::vector<seen> events;
  int refused = 0;  // with this close code
  bool cut = false;
  bool operator==(const ws_outcome&) const = default;
};

ws_outcome ws_expected(std::string_view notation);
std::string to_string(const ws_outcome& o);

// Everything that `d` gives, the pieces fed one after the other. Each lies in memory of its own, of
// just that size.
ws_outcome ws_decoded(iolite::ws::decoder& d, const std::vector<std::string_view>& pieces);

}  // namespace iolite_test
