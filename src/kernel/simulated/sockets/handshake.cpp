// How TCP connections begin: an opening segment, the listener's answer, and the acknowledgement
// that puts the connection into the listener's queue. See socket_file.hpp and tcp(7).
#include "kernel/simulated/sockets/socket_file.hpp"

#include <algorithm>

namespace iolite::simulated {
namespace {

using std::chrono::seconds;

constexpr int openings_max = 7;  // the first and tcp_syn_retries: 127 s in all

}  // namespace

void socket_file::send_opening(int tries) {
  const shared me = self();
  timeline& time = world().time;
  if (!there_) {  // nobody has the address: the neighbours are asked in vain
    return time.after(seconds(3), [me] { me->fail(EHOSTUNREACH); });
  }
  const clock::duration delay = world().net.latency(of().at, *there_, world().random);
  time.after(delay, [me, tries] { me->opening_arrives(me, *me->there_, tries); });
}

// Lost, or not answered: again after 1 s, 2 s, 4 s ...
void socket_file::opening_arrives(const shared& client, host& server, int tries) {
  if (stage_ != stage::connecting) return;
  network& net = world().net;
  timeline& time = world().time;
  const bool lost = net.blocked(of().at, server) || net.blocked(server, of().at);
  socket_file* const listener = lost ? nullptr : listener_at(server, peer_, world().random);
  const clock::duration back = net.latency(server, of().at, world().random);
  if (!lost && !listener) {
    return time.after(back, [client] { client->fail(ECONNREFUSED); });
  }
  if (lost || listener->queue_is_full()) {
    const clock::duration pause = seconds(1) * (1 << tries);
    if (tries + 1 == openings_max) return time.after(pause, [client] { client->fail(ETIMEDOUT); });
    return time.after(pause, [client, tries] {
      if (client->stage_ == stage::connecting) client->send_opening(tries + 1);
    });
  }
  const shared child = listener->make_child(client);
  const clock::duration forth = net.latency(of().at, server, world().random);
  const auto in_queue = time.now() + back + forth;
  last_arrival_ = in_queue;  // what is sent comes after it
  time.after(back, [client, child] { client->established(child); });
  const auto from = std::static_pointer_cast<socket_file>(listener->shared_from_this());
  ++from->opening_;
  time.at(in_queue, [from, child] {
    --from->opening_;
    if (child->stage_ != stage::connected) return;  // the host has crashed
    if (from->stage_ != stage::listening) return child->send_reset();
    from->accepted_.push_back(child);
    from->changed(POLLIN);
  });
}

void socket_file::established(const shared& child) {
  if (stage_ != stage::connecting) return child->reset_arrives(ECONNRESET);
  stage_ = stage::connected;
  other_ = child;
  untold_ = true;
  changed(POLLOUT);
}

void socket_file::fail(int error) {
  if (stage_ != stage::connecting) return;
  stage_ = stage::failed;
  error_ = error;
  no_more_in_ = no_more_out_ = true;
  changed(POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
}

// With SO_REUSEPORT there may be several: the seed chooses. The exact address goes first.
socket_file* socket_file::listener_at(host& at, const address& to, random_source& random) {
  const auto it = at.ports.find(to.port);
  if (it == at.ports.end()) return nullptr;
  std::vector<socket_file*> exact, any;
  for (any_socket* one : it->second) {
    auto* const s = static_cast<socket_file*>(one);  // of TCP, whose ports these are
    if (s->stage_ != stage::listening || s->domain() != to.family) continue;
    if (s->local_.same_ip(to)) exact.push_back(s);
    else if (s->local_.is_wildcard()) any.push_back(s);
  }
  const auto& found = exact.empty() ? any : exact;
  return found.empty() ? nullptr : found[random.below(found.size())];
}

socket_file::shared socket_file::make_child(const shared& client) {
  const auto child = std::make_shared<socket_file>(of(), domain());
  child->options_ = options_;
  child->linger_seconds_ = linger_seconds_;
  child->local_ = client->peer_;
  child->peer_ = client->local_;
  child->stage_ = stage::connected;
  child->there_ = &client->of().at;
  child->other_ = client;
  return child;
}

}  // namespace iolite::simulated
