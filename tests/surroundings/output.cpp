// What serve_main() prints, and who reads it.
#include "support/sockets.hpp"
#include "support/streams.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace iolite_test {
namespace {

using namespace iolite;

task<> throw_or_echo(stream peer) {
  const auto got = co_await receive(peer, 1);
  if (!got || got->empty()) co_return;
  if (*got == "t") throw std::runtime_error("told to");
  const auto sent = co_await send_text(peer, *got);
  EXPECT_TRUE(sent);
}

// The program that has read its lines is gone: a line more does not end the server.
TEST(serve_main, serves_on_when_nobody_reads_what_it_prints) {
  const temporary_folder folder;
  const std::string path = folder / "s";
  const raw_pair lines = raw_unix_pair();
  const pid_t server = ::fork();
  ASSERT_GE(server, 0);
  if (server == 0) {
    ::signal(SIGPIPE, SIG_DFL);
    ::alarm(60);
    ::dup2(lines.a.fd(), STDOUT_FILENO);
    ::dup2(lines.a.fd(), STDERR_FILENO);
    ::close(lines.a.fd());
    ::close(lines.b.fd());
    ::_exit(iolite::serve_main(throw_or_echo, {.model = "poll", .listen = {"unix:" + path}}));
  }
  EXPECT_NE(lines.b.recv_some().find("listening on"), std::string::npos);
  ::shutdown(lines.b.fd(), SHUT_RDWR);
  const endpoint at = endpoint::parse("unix:" + path).value();
  const raw_socket first = raw_socket::connect(at);
  EXPECT_TRUE(first.send_all("t"));
  EXPECT_EQ(first.recv_until_end(), "");
  raw_socket second;
  EXPECT_EQ(raw_socket::try_connect(at, second), 0);
  if (second.is_open() && second.send_all("x")) {
    EXPECT_EQ(second.recv_until_end(), "x");
  }
  ::kill(server, SIGTERM);
  int status = 0;
  EXPECT_EQ(::waitpid(server, &status, 0), server);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
}

}  // namespace
}  // namespace iolite_test
