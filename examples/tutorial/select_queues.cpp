// An echo server with three sets and a queue for each client: nobody is waited for.
//
// What is read goes into its client's queue. Who has something in it is asked about writing too,
// and only then: a socket with room is writable all the time, and the wait would never wait. A full
// queue stops the reading from that client; TCP tells it to stop, and the others never notice. The
// third set is for errors: select(2) has one for little but urgent data, so each socket is asked.
// Try it with `nc 127.0.0.1 7000`, and `nc 127.0.0.1 7000 < /dev/zero | sleep 60` beside it.
#include "support/by_hand.hpp"
#include "support/options.hpp"
#include "support/sockets.hpp"

#include <deque>
#include <fmt/core.h>
#include <iolite/selector.hpp>
#include <unistd.h>

namespace {

using iolite::interest;

struct client {
  int number = 0;
  std::deque<std::string> queue;  // messages to be sent
  bool was_full = false, ended = false;  // was: said once; ended: it may still read
};

struct server {
  iolite::selector<client> all;
  int listener, queue_max, clients = 0;

  void close(int fd, std::string_view why) {
    const auto gone = all.remove(fd);
    if (!gone) return;  // a client can be broken for reading and for writing
    tutorial::say(fmt::format("client {} {}", gone->number, why));
    ::close(fd);
  }
  void accept() {
    const int fd = tutorial::accept_client(listener);
    if (fd < 0) return;
    const auto added = all.add(fd, interest::read, {.number = ++clients});
    if (!added) tutorial::refuse_client(fd, clients, all.name(), added.error());
  }
  static bool write(int fd, client& to) {
    const long sent = tutorial::send_some(fd, to.queue.front());
    if (sent > 0) to.queue.front().erase(0, static_cast<std::size_t>(sent));
    if (to.queue.front().empty()) to.queue.pop_front();
    return sent >= 0;
  }
  bool read(int fd, client& from) {
    std::string message;
    const auto came = tutorial::receive(fd, message);
    if (came == tutorial::arrival::end) from.ended = true;
    if (came == tutorial::arrival::bytes) from.queue.push_back(std::move(message));
    if (std::cmp_equal(from.queue.size(), queue_max) && !std::exchange(from.was_full, true))
      tutorial::say(fmt::format("client {} has a full queue, and is read no more", from.number));
    return came != tutorial::arrival::reset;
  }
  void turn() {
    const auto ready = all.wait();
    if (!ready) tutorial::fail(ready.error().message());
    std::vector<int> readable, writable, broken;
    for (const auto& key : *ready) {
      if (tutorial::is_broken(key.fd)) broken.push_back(key.fd);
      else if (has(key.ready, interest::read)) readable.push_back(key.fd);
      if (has(key.ready, interest::write)) writable.push_back(key.fd);
    }
    for (const int fd : readable) {
      if (fd == listener) accept();
      else if (!read(fd, *all.find(fd))) broken.push_back(fd);
    }
    for (const int fd : writable)
      if (!write(fd, *all.find(fd))) broken.push_back(fd);
    for (const int fd : broken) close(fd, "was reset");
    for (const auto& key : *ready) {  // which sets it is in next time
      client* const c = all.find(key.fd);
      if (key.fd == listener || !c) continue;
      const bool reads = !c->ended && std::cmp_less(c->queue.size(), queue_max);
      const auto wanted = (reads ? interest::read : interest::none) |
                          (c->queue.empty() ? interest::none : interest::write);
      if (wanted == interest::none) close(key.fd, "has left");
      else static_cast<void>(all.modify(key.fd, wanted));
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000";
  int queue_max = 64;
  tutorial::parse(argc, argv, "an echo server with a queue for each client",
                  {{"--listen", &listen, "where"}, {"--queue", &queue_max, "messages in one"}});
  auto opened = iolite::selector<client>::open("select");
  if (!opened) tutorial::fail(opened.error().message());
  server it{std::move(*opened), -1, queue_max > 0 ? queue_max : 1};
  tutorial::on_stop([&it] { it.all.wake(); });
  it.listener = tutorial::listen_on(listen);
  if (!it.all.add(it.listener, interest::read)) tutorial::fail("the listener's descriptor");
  while (!tutorial::stopped()) it.turn();
}
