// The WebSocket decoder against websocket.vectors, at every split of their bytes.
#include "vectors.hpp"
#include "websocket_notation.hpp"

#include <gtest/gtest.h>

#include <charconv>

namespace iolite_test {
namespace {

using namespace iolite;

std::uint64_t value_of(std::string_view options, std::string_view name, std::uint64_t otherwise) {
  const std::size_t at = options.find(name);
  if (at == options.npos) return otherwise;
  const char* const from = options.data() + at + name.size();
  std::int64_t n = 0;
  std::from_chars(from, options.data() + options.size(), n);
  return static_cast<std::uint64_t>(n);  // -1: all there is
}

ws::limits limits_of(std::string_view options) {
  const ws::limits usual;
  return {.message_max = value_of(options, "message_max=", usual.message_max),
          .frame_max = value_of(options, "frame_max=", usual.frame_max),
          .fragments_max = value_of(options, "fragments_max=", usual.fragments_max),
          .rsv1_allowed = options.find("rsv1") != options.npos};
}

void check(const vector_line& v, ws::role receiver) {
  const std::string bytes = ws_bytes(v.fields[2], receiver);
  const ws_outcome expected = ws_expected(v.fields[3]);
  const ws::limits most = limits_of(v.fields[1]);
  for_each_cut(bytes, [&](const std::vector<std::string_view>& pieces) {
    ws::decoder d(receiver, most);
    const ws_outcome seen = ws_decoded(d, pieces);
    if (seen == expected && d.why().empty() == (expected.refused == 0)) return true;
    ADD_FAILURE() << v.at << ", to a " << (receiver == ws::role::server ? "server" : "client")
                  << ", " << cuts(pieces) << "\nexpected:\n"
                  << to_string(expected) << "seen:\n"
                  << to_string(seen) << d.why();
    return false;
  });
}

void check_all(ws::role receiver, std::string_view option) {
  std::size_t checked = 0;
  for (const auto& v : read_vectors("websocket.vectors", 4)) {
    const std::string_view options = v.fields[1];
    if (!options.starts_with("both") && !options.starts_with(option)) continue;
    check(v, receiver);
    ++checked;
  }
  EXPECT_GE(checked, 250U) << "vectors";
}

TEST(websocket_vectors, a_server_gives_what_they_say_at_every_split) {
  check_all(ws::role::server, "server");
}

TEST(websocket_vectors, a_client_gives_what_they_say_at_every_split) {
  check_all(ws::role::client, "client");
}

}  // namespace
}  // namespace iolite_test
