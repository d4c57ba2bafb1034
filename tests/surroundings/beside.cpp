// Several servers in one program, and several connections of one server.
#include "models_here.hpp"

#include "support/model_names.hpp"
#include "support/served.hpp"
#include "support/streams.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

namespace iolite_test {
namespace {

using namespace iolite;
using namespace std::chrono_literals;

// A server beside the one under test, from its start to its end.
void serve_for_a_moment() {
  serve_stop stop;
  serve_options o = options_for("poll", 2);
  o.signals = false;
  o.stop = &stop;
  o.on_listening = [&](const model_choice&, const std::vector<endpoint>&) { stop.request(); };
  EXPECT_TRUE(iolite::serve(echo, o));
}

class beside : public testing::TestWithParam<std::string> {};

TEST_P(beside, a_server_without_signals_leaves_those_of_another_alone) {
  serve_options o = options_for(GetParam(), 2);
  o.on_listening = [](const model_choice&, const std::vector<endpoint>&) {
    std::thread(serve_for_a_moment).join();
  };
  served server(echo, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  EXPECT_TRUE(peer.send_all("x"));
  EXPECT_EQ(peer.recv_exactly(1), "x");
  server.signal(SIGTERM);
  EXPECT_EQ(peer.recv_until_end(), "") << "it does not drain";
  EXPECT_EQ(server.wait(), 0);
}

INSTANTIATE_TEST_SUITE_P(surroundings, beside,
                         testing::ValuesIn(those_here({"poll/shared", "epoll/thread",
                                                       "epoll/process", "epoll/pool",
                                                       "epoll/prefork"})),
                         name_by_model);

// Greets, answers once and ends.
task<> greet_and_answer(stream peer) {
  const auto greeted = co_await send_text(peer, "G");
  if (!greeted) co_return;
  const auto asked = co_await receive(peer, 1);
  if (!asked || asked->empty()) co_return;
  const auto answered = co_await send_text(peer, "A");
  EXPECT_TRUE(answered);
}

std::size_t sockets_of(pid_t process) {
  std::size_t n = 0;
  std::error_code gone;
  for (const auto& f :
       std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd", gone)) {
    if (std::filesystem::read_symlink(f.path(), gone).string().starts_with("socket:")) ++n;
  }
  return n;
}

class by_processes : public testing::TestWithParam<std::string> {};

// Two connections of two listeners wait for a place, in the server already. When one of them has
// got a process, that must not hold the other one.
TEST_P(by_processes, a_connection_that_waits_is_in_no_other_process) {
  serve_options o = options_for(GetParam(), 2);
  o.listen = {"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"};
  o.connections_max = 2;
  served server(greet_and_answer, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const std::size_t usual = sockets_of(server.pid());
  raw_socket full[] = {server.connect(0), server.connect(0)};
  for (const raw_socket& s : full) EXPECT_EQ(s.recv_exactly(1), "G");
  ASSERT_TRUE(eventually([&] { return sockets_of(server.pid()) == usual; }));
  const raw_socket waiting[] = {server.connect(1), server.connect(2)};
  ASSERT_TRUE(eventually([&] { return sockets_of(server.pid()) == usual + 2; }));
  full[0].close();
  ASSERT_TRUE(eventually([&] { return sockets_of(server.pid()) == usual + 1; }));
  full[1].close();
  for (const raw_socket& s : waiting) EXPECT_EQ(s.recv_exactly(1), "G");
  for (const raw_socket& s : waiting) {
    EXPECT_TRUE(s.send_all("?"));
    EXPECT_EQ(s.recv_until_end(), "A") << "another process has it open still";
  }
  EXPECT_EQ(server.stop(SIGTERM), 0);
}

INSTANTIATE_TEST_SUITE_P(surroundings, by_processes,
                         testing::ValuesIn(those_here({"blocking/process", "epoll/process",
                                                       "io_uring/process"})),
                         name_by_model);

}  // namespace
}  // namespace iolite_test
