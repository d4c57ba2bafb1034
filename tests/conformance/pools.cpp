// serve() by several event loops: how they share the connections.
#include "serve_test.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <map>
#include <unistd.h>
#include <vector>

namespace iolite_test {
namespace {

using namespace iolite;

// The answer to anything is who has it.
task<> tell_thread(stream peer) {
  std::byte request;
  for (;;) {
    const auto n = co_await peer.recv({&request, 1});
    if (!n || *n == 0) co_return;
    const pid_t me = ::gettid();
    const auto sent = co_await peer.send_all(std::as_bytes(std::span(&me, 1)));
    if (!sent) co_return;
  }
}

pid_t thread_of(const raw_socket& peer) {
  peer.send_all("?");
  const std::string told = peer.recv_exactly(sizeof(pid_t));
  pid_t out = -1;
  if (told.size() == sizeof out) std::memcpy(&out, told.data(), sizeof out);
  return out;
}

// The kernel's hash alone leaves one loop with some 15 more than another.
TEST_P(serve_by_loops, loops_have_nearly_the_same_number_of_connections) {
  if (traits().own_descriptors) {
    GTEST_SKIP() << "a direct descriptor stays with the engine that has accepted it";
  }
  serve_options o = options();
  o.workers = 4;
  served server(tell_thread, o);
  ASSERT_TRUE(server.listening()) << server.error();
  std::vector<raw_socket> peers;
  std::map<pid_t, int> shares;
  for (int i = 0; i < 240; ++i) {
    peers.push_back(server.connect());
    ++shares[thread_of(peers.back())];
  }
  ASSERT_EQ(shares.size(), 4U);
  const auto [least, most] =
      std::ranges::minmax_element(shares, {}, [](const auto& share) { return share.second; });
  EXPECT_LE(most->second, least->second + 3 + least->second / 16);
  for (const raw_socket& peer : peers) EXPECT_GT(thread_of(peer), 0);  // each is still served
  peers.clear();
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().connections, 240U);
}

}  // namespace
}  // namespace iolite_test
