// A user interface and clients in one loop: events come through a queue, lines through sockets.
//
// User interfaces often insist on a thread of their own. It does not touch the program's state: it
// puts what has happened into a queue. The loop takes it out, and has a handler for each kind. As
// all handlers run in the loop's thread, one at a time, the state needs no lock. Here the interface
// makes up a click or a key now and then, and ^C closes its window.
//
// Try it with `nc 127.0.0.1 7000`: each line is answered with what has happened so far.
#include "support/engines.hpp"
#include "support/lines.hpp"
#include "support/options.hpp"
#include "support/sockets.hpp"

#include <algorithm>
#include <csignal>
#include <fmt/core.h>
#include <iolite/iolite.hpp>
#include <thread>
#include <unistd.h>
#include <variant>

namespace {

using click = std::pair<int, int>;  // x, y
using key = char;
struct ui_event {
  int number, thread;  // the thread that made it
  std::variant<click, key> what;
};

struct state {  // for the loop's thread only
  int clicks = 0;
  std::string typed;
};

// In a thread of its own.
void run_interface(iolite::channel<ui_event>& queue, int every_ms, sigset_t window_closed) {
  const timespec pause{.tv_sec = every_ms / 1000, .tv_nsec = every_ms % 1000 * 1'000'000L};
  for (int n = 1; ::sigtimedwait(&window_closed, nullptr, &pause) < 0; ++n) {
    ui_event made{n, ::gettid(), click{n * 4 % 640, n * 3 % 480}};
    if (n % 3 == 0) made.what = static_cast<key>('a' + n / 3 % 26);
    // Never waits: when the loop is that far behind, an event is lost and the window stays alive.
    if (!queue.try_send(made)) tutorial::say(fmt::format("event {} is lost", n));
  }
  queue.close();  // what is inside is still handled
}

std::string handle(click at, state& now) {
  ++now.clicks;
  return fmt::format("click at {},{}", at.first, at.second);
}
std::string handle(key pressed, state& now) {
  now.typed += pressed;
  return fmt::format("key {}", pressed);
}

iolite::task<> answer(iolite::stream peer, const state& now) {
  tutorial::line_reader from(peer);
  while (const auto line = co_await from.next()) {
    const std::string reply = fmt::format("{}: {} clicks, typed \"{}\", thread {}\n", *line,
                                          now.clicks, now.typed, ::gettid());
    if (!co_await peer.send_all(reply)) co_return;
  }
}

iolite::task<> accept_clients(iolite::listener from, const state& now, iolite::scope& network) {
  while (auto peer = co_await from.accept()) network.spawn(answer(std::move(*peer), now));
}

iolite::task<> handle_all(iolite::channel<ui_event>& queue, state& now) {
  while (const auto event = co_await queue.receive()) {  // until it is closed
    const auto done = std::visit([&](auto what) { return handle(what, now); }, event->what);
    tutorial::say(fmt::format("event {}: {}, from thread {}, handled in thread {}", event->number,
                              done, event->thread, ::gettid()));
  }
}

iolite::task<> run_loop(iolite::listener listener, iolite::channel<ui_event>& queue) {
  state now;
  co_await iolite::in_scope([&](iolite::scope& network) -> iolite::task<> {
    network.spawn(accept_clients(std::move(listener), now, network));
    co_await handle_all(queue, now);
    network.cancel();
  });
}

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000", model = "auto";
  int every_ms = 500;
  tutorial::parse(argc, argv, "clicks, keys and clients in one loop",
                  {{"--listen", &listen, "where"},
                   {"--model", &model, "of I/O"},
                   {"--every-ms", &every_ms, "between two events"}});
  const sigset_t window_closed = tutorial::hold_stop_signals();  // the interface waits for them
  const auto loop = tutorial::event_loop_of(model);
  auto listener = iolite::listener::adopt(*loop, tutorial::listen_on(listen));
  iolite::channel<ui_event> queue(1024);
  std::thread interface(run_interface, std::ref(queue), std::max(every_ms, 1), window_closed);
  loop->run(run_loop(std::move(listener), queue));
  interface.join();
}
