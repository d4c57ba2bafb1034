// serve() on unix paths: servers that follow each other, and servers that start together.
#include "serve_test.hpp"

#include "support/streams.hpp"

#include <cerrno>
#include <csignal>
#include <sys/stat.h>
#include <unistd.h>

namespace iolite_test {
namespace {

using namespace iolite;

endpoint unix_at(const std::string& path) {
  const auto e = endpoint::parse("unix:" + path);
  if (!e) throw std::runtime_error(e.error().message);
  return *e;
}

// 0: somebody listens there.
int reach(const std::string& path) {
  raw_socket s;
  return raw_socket::try_connect(unix_at(path), s);
}

bool is_there(const std::string& path) {
  struct stat about{};
  return ::lstat(path.c_str(), &about) == 0;
}

serve_options on_path(serve_options o, const std::string& path) {
  o.listen = {"unix:" + path};
  o.workers = 2;
  return o;
}

// Answers once, and then takes until there is a file at this path.
std::string may_end;

task<> answer_and_hold(stream peer) {
  const auto said = co_await send_text(peer, "A");
  EXPECT_TRUE(said);
  while (!is_there(may_end)) {
    auto pause = iolite::sleep(1ms);
    static_cast<void>(co_await pause);
  }
}

TEST_P(serve, a_draining_server_leaves_its_path_to_its_successor) {
  const temporary_folder folder;
  const std::string path = folder / "s";
  may_end = folder / "end";
  serve_options o = on_path(options(), path);
  o.drain_timeout = 1h;
  served old(answer_and_hold, o);
  ASSERT_TRUE(old.listening()) << old.error();
  const raw_socket peer = old.connect();
  EXPECT_EQ(peer.recv_exactly(1), "A");
  old.signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return !is_there(path); })) << "it drains, and has the path still";
  {
    served successor(echo, o);
    ASSERT_TRUE(successor.listening()) << successor.error();
    ASSERT_EQ(::mkdir(may_end.c_str(), 0700), 0);
    EXPECT_EQ(old.wait(), 0);
    ASSERT_EQ(reach(path), 0) << "the old server has removed it";
    expect_echo(successor.connect(), "after");
    EXPECT_EQ(successor.stop(SIGTERM), 0);
  }
  EXPECT_FALSE(is_there(path));
}

TEST_P(serve, what_has_come_in_the_place_of_its_path_stays) {
  const temporary_folder folder;
  const std::string path = folder / "s";
  served server(echo, on_path(options(), path));
  ASSERT_TRUE(server.listening()) << server.error();
  ASSERT_EQ(::unlink(path.c_str()), 0);
  const raw_listener successor = raw_listener::on_unix(path);
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(reach(path), 0);
}

TEST_P(serve, a_second_server_on_a_path_is_refused_and_harms_nobody) {
  const temporary_folder folder;
  const serve_options o = on_path(options(), folder / "s");
  served first(echo, o);
  ASSERT_TRUE(first.listening()) << first.error();
  served second(echo, o);
  EXPECT_FALSE(second.listening());
  EXPECT_NE(second.error().find("in use"), std::string::npos) << second.error();
  second.wait();
  expect_echo(first.connect(), "still there");
  EXPECT_EQ(first.stop(SIGTERM), 0);
  EXPECT_FALSE(is_there(folder / "s"));
}

TEST_P(serve, a_path_of_a_killed_server_is_taken_over) {
  const temporary_folder folder;
  const serve_options o = on_path(options(), folder / "s");
  {
    served killed(echo, o);
    ASSERT_TRUE(killed.listening()) << killed.error();
    killed.signal_all(SIGKILL);
    killed.wait();
    EXPECT_TRUE(eventually([&] { return reach(folder / "s") == ECONNREFUSED; }));
  }
  served next(echo, o);
  ASSERT_TRUE(next.listening()) << next.error();
  expect_echo(next.connect(), "hello");
  EXPECT_EQ(next.stop(SIGTERM), 0);
  EXPECT_FALSE(is_there(folder / "s"));
}

// The other addresses of a server that cannot have one of them.
TEST_P(serve, a_server_that_cannot_start_leaves_no_path) {
  const temporary_folder folder;
  const temporary_folder others;
  const raw_listener alive = raw_listener::on_unix(others / "taken");
  serve_options o = on_path(options(), folder / "s");
  o.listen.push_back("unix:" + (others / "taken"));
  served server(echo, o);
  EXPECT_FALSE(server.listening());
  server.wait();
  EXPECT_FALSE(is_there(folder / "s"));
  EXPECT_EQ(reach(others / "taken"), 0);
}

}  // namespace
}  // namespace iolite_test
