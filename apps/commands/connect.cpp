// iolite connect: a line client for people, and for pipes.
#include "commands/client.hpp"
#include "commands/commands.hpp"
#include "terminal/output.hpp"

#include "iolite/nursery.hpp"
#include "iolite/ready.hpp"
#include "iolite/stream.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <unistd.h>

namespace iolite::app {

namespace {

// Waits for standard input; false when the wait was cancelled. Files and /dev/null are always
// ready, which epoll_ctl(2) says as EPERM.
task<bool> input_ready() {
  const auto r = co_await ready(STDIN_FILENO, interest::read);
  co_return r || r.error() == std::errc::operation_not_permitted;
}

// Standard input to the peer; its end is half-closed onwards, and answers still come.
task<void> send_input(stream& peer) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const bool go_on = co_await input_ready();
    if (!go_on) co_return;
    const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) break;
    const auto sent = co_await peer.send_all(std::span(buffer).first(static_cast<std::size_t>(n)));
    if (!sent) co_return;  // the receiving side sees why
  }
  const auto ended = peer.shutdown_write();
  static_cast<void>(ended);  // fails only where the peer is gone: receiving tells
}

task<int> print_answers(stream& peer) {
  std::array<std::byte, 16384> buffer;
  for (;;) {
    const auto got = co_await peer.recv(buffer);
    if (!got) co_return failed(fmt::format("the connection broke: {}", got.error().message()));
    if (*got == 0) co_return status_done;
    if (!print({reinterpret_cast<const char*>(buffer.data()), *got})) co_return status_failed;
  }
}

task<int> converse(endpoint to) {
  auto connected = co_await stream::connect(to, std::chrono::seconds(10));
  if (!connected) co_return failed(connect_failure(to, connected.error()));
  stream peer = std::move(*connected);
  co_return co_await in_scope([&](scope& sender) -> task<int> {
    sender.spawn(send_input(peer));
    const int status = co_await print_answers(peer);
    sender.cancel();
    co_return status;
  });
}

int run_connect(const std::string& address) {
  const auto to = endpoint::parse(address);
  if (!to) return wrong_usage(to.error().message);
  // Nothing is to be tidied up, so ^C ends it at once and says nothing.
  std::signal(SIGINT, [](int) { ::_exit(130); });
  const auto loop = client_engine();
  if (!loop) return failed(loop.error().message);
  return (*loop)->run(converse(*to));
}

}  // namespace

void add_connect(CLI::App& app, action& chosen) {
  auto address = std::make_shared<std::string>();
  CLI::App& c = *app.add_subcommand("connect", "talk to a server, line by line or from a pipe");
  c.add_option("address", *address, "127.0.0.1:7000, [::1]:7000, :7000, unix:/run/x.sock")
      ->required()
      ->type_name("ADDRESS");
  c.footer(
      "Piped input is sent whole, then the sending side is closed and every answer printed.\n\n"
      "Examples:\n  iolite connect :7000\n  echo hello | iolite connect :7000");
  c.callback([address, &chosen] { chosen = [address] { return run_connect(*address); }; });
}

}  // namespace iolite::app
