// Sockets that listen already: systemd's, a parent's. They stay theirs.
#include "setting.hpp"

#include "support/served.hpp"
#include "support/sockets.hpp"
#include "support/streams.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace iolite_test {
namespace {

using namespace iolite;

std::string passed(const raw_listener& l) { return "fd:" + std::to_string(l.fd()); }

// One is served; the next one waits in the queue, where the stop finds it.
void serve_one_and_leave_one(const raw_listener& mine, serve_options o) {
  o.listen = {passed(mine)};
  o.connections_max = 1;
  o.workers = 1;
  served server(echo, o);
  ASSERT_TRUE(server.listening()) << server.error();
  EXPECT_EQ(server.at().to_string(), mine.address().to_string());
  const raw_socket first = raw_socket::connect(mine.address());
  EXPECT_TRUE(first.send_all("hello"));
  EXPECT_EQ(first.recv_exactly(5), "hello");
  const raw_socket second = raw_socket::connect(mine.address());
  EXPECT_TRUE(second.send_all("me, too"));
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(first.recv_until_end(), "");
  ::fcntl(mine.fd(), F_SETFL, 0);
  EXPECT_EQ(mine.accept().recv_exactly(7), "me, too") << "who waited is gone";
  const raw_socket later = raw_socket::connect(mine.address());
  EXPECT_TRUE(later.send_all("x"));
  EXPECT_EQ(mine.accept().recv_exactly(1), "x") << "the socket does not listen any more";
}

TEST_P(around, a_socket_passed_in_stays_its_owners) {
  if (simulated()) GTEST_SKIP() << "there is no parent in a world that could pass one";
  const raw_listener mine;
  serve_one_and_leave_one(mine, options());
}

TEST_P(around, a_path_that_another_has_bound_is_not_removed) {
  if (simulated()) GTEST_SKIP() << "there is no parent in a world that could pass one";
  const temporary_folder folder;
  const raw_listener mine = raw_listener::on_unix(folder / "s");
  serve_one_and_leave_one(mine, options());
  struct stat unused{};
  EXPECT_EQ(::stat((folder / "s").c_str(), &unused), 0) << "the path is gone";
}

// --- what is refused ---

std::string refusal_of(const std::string& listen) {
  serve_options o;
  o.model = "poll";
  o.listen = {listen};
  o.signals = false;
  const auto r = iolite::serve(echo, o);
  return r ? "it serves" : r.error().message;
}

TEST(passed_sockets, what_is_no_listening_socket_is_refused) {
  EXPECT_EQ(refusal_of("fd:x"),
            "cannot listen on fd:x: write the number of a descriptor, for instance fd:3");
  EXPECT_EQ(refusal_of("fd:-1"),
            "cannot listen on fd:-1: write the number of a descriptor, for instance fd:3");
  EXPECT_EQ(refusal_of("fd:99999"), "cannot listen on fd:99999: there is no such descriptor");
  const owned_fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::string number = "fd:" + std::to_string(file.get());
  EXPECT_EQ(refusal_of(number), "cannot listen on " + number + ": it is no socket");
  const raw_pair pair = raw_unix_pair();
  const std::string connected = "fd:" + std::to_string(pair.a.fd());
  EXPECT_EQ(refusal_of(connected), "cannot listen on " + connected +
                                       ": it is no stream socket that listens; call listen(2) on "
                                       "it first");
}

// --- from systemd ---

TEST(passed_sockets, systemd_names_them_by_two_variables) {
  ::unsetenv("LISTEN_FDS");
  ::unsetenv("LISTEN_PID");
  EXPECT_TRUE(sockets_from_systemd().empty());
  ::setenv("LISTEN_FDS", "2", 1);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  EXPECT_EQ(sockets_from_systemd(), (std::vector<std::string>{"fd:3", "fd:4"}));
  ::setenv("LISTEN_PID", "1", 1);
  EXPECT_TRUE(sockets_from_systemd().empty()) << "they are another process's";
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", "many", 1);
  EXPECT_TRUE(sockets_from_systemd().empty());
}

}  // namespace
}  // namespace iolite_test
