// The three ways in which epoll(7) reports a client, as --trigger level, edge or oneshot.
//
// level:   for as long as something is there. To read a piece and wait again is enough.
// edge:    once, when something comes. Whoever stops reading before recv(2) says "nothing" is told
//          of the rest by nobody: it stays where it is until the peer sends more.
// oneshot: once, then nothing until the client is armed again. So threads that share one epoll set
//          never have the same client at a time.
//
// --trap falls into the trap of each: edge reads one piece for a report, oneshot does not arm
// again; level has none. Messages are read in small pieces here, so that one of them takes several,
// and what it took is said when a client leaves. Try it with `nc 127.0.0.1 7000` and a long line.
#include "support/by_hand.hpp"
#include "support/options.hpp"
#include "support/sockets.hpp"

#include <fmt/core.h>
#include <iolite/selector.hpp>
#include <unistd.h>

namespace {

using iolite::interest;

constexpr std::size_t piece_bytes = 16;

struct client {
  int number = 0;
  int reports = 0, receives = 0, armed_again = 0;
};
using selector = iolite::selector<client>;

enum class outcome { more, drained, over };

outcome echo_piece(int fd, client& its) {
  std::string piece;
  ++its.receives;
  switch (tutorial::receive(fd, piece, piece_bytes)) {
  case tutorial::arrival::nothing: return outcome::drained;
  case tutorial::arrival::bytes:
    if (tutorial::send_some(fd, piece) == static_cast<long>(piece.size())) return outcome::more;
    return outcome::over;  // it does not read: select_queues would keep the rest
  default: return outcome::over;
  }
}

void serve(selector& all, int fd, client& its, interest mode, bool trap) {
  ++its.reports;
  auto got = echo_piece(fd, its);
  while (mode == interest::edge && !trap && got == outcome::more) got = echo_piece(fd, its);
  if (got == outcome::over) {
    tutorial::say(fmt::format("client {} has left: {} reports, {} receives, armed again {} times",
                              its.number, its.reports, its.receives, its.armed_again));
    static_cast<void>(all.remove(fd));
    ::close(fd);
  } else if (mode == interest::oneshot && !trap) {
    ++its.armed_again;
    static_cast<void>(all.modify(fd, interest::read | mode));
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000", trigger = "level";
  bool trap = false;
  tutorial::parse(argc, argv, "an echo server on epoll",
                  {{"--listen", &listen, "where"},
                   {"--trigger", &trigger, "level, edge or oneshot"},
                   {"--trap", &trap, "leave out what the trigger needs"}});
  const interest mode = trigger == "edge"      ? interest::edge
                        : trigger == "oneshot" ? interest::oneshot
                                               : interest::none;
  if (mode == interest::none && trigger != "level")
    tutorial::fail("--trigger is level, edge or oneshot");
  auto opened = selector::open("epoll");
  if (!opened) tutorial::fail(opened.error().message());
  selector& all = *opened;
  tutorial::on_stop([&all] { all.wake(); });
  const int listener = tutorial::listen_on(listen);
  if (!all.add(listener, interest::read)) tutorial::fail("the listener cannot be watched");
  for (int clients = 0; !tutorial::stopped();) {
    const auto ready = all.wait();
    if (!ready) tutorial::fail(ready.error().message());
    for (const auto& key : *ready) {
      if (key.fd != listener) serve(all, key.fd, key.data, mode, trap);
      else if (const int fd = tutorial::accept_client(listener); fd >= 0) {
        const auto added = all.add(fd, interest::read | mode, {.number = ++clients});
        if (!added) tutorial::refuse_client(fd, clients, all.name(), added.error());
      }
    }
  }
}
