// See sockets.hpp.
#include "support/sockets.hpp"

#include "support/options.hpp"

#include <cstdio>
#include <fmt/core.h>
#include <iolite/iolite.hpp>

namespace tutorial {
namespace {

std::function<void()> wake_up;  // set before the handlers are
volatile std::sig_atomic_t stop_asked = 0;

void asked_to_stop(int) {
  stop_asked = 1;
  if (wake_up) wake_up();
}

}  // namespace

int listen_on(const std::string& address) {
  const auto at = iolite::endpoint::parse(address);
  if (!at) fail(at.error().message);
  auto on = iolite::make_engine("blocking");  // only to open the socket with
  if (!on) fail(on.error().message);
  auto opened = iolite::listener::open(**on, *at);
  if (!opened) fail(opened.error().message);
  say(fmt::format("listening on {}", opened->local().to_string()));
  return opened->release();
}

void on_stop(std::function<void()> wake) {
  wake_up = std::move(wake);
  struct sigaction action{};
  action.sa_handler = asked_to_stop;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
}

bool stopped() noexcept { return stop_asked != 0; }

sigset_t hold_stop_signals() {
  sigset_t both;
  ::sigemptyset(&both);
  ::sigaddset(&both, SIGINT);
  ::sigaddset(&both, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &both, nullptr);
  return both;
}

void say(std::string_view line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

}  // namespace tutorial
