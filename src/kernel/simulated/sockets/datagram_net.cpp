// See datagram_file.hpp: what happens to a datagram on its way, and which socket gets it.
#include "kernel/simulated/sockets/datagram_file.hpp"

#include <algorithm>

namespace iolite::simulated {

void datagram_file::put_on_wire(datagram d, host& there) {
  machine& w = world();
  const bool far = &there != &of().at;  // within a host nothing gets lost
  const auto flight = w.net.latency(of().at, there, w.random);
  const auto leaves = w.net.occupy(of().at, there, d.bytes.size(), w.time.now());
  const auto me = self();
  if (leaves > clock::duration::zero()) {
    const std::size_t cost = cost_of(d.bytes.size());
    held_ += cost;
    w.time.after(leaves, [me, cost] { me->has_left(cost); });
  }
  if (far && wrong(fault_kind::loss)) return;
  auto arrival = w.time.now() + leaves + flight;
  if (wrong(fault_kind::delay)) arrival += w.draws.extent().between({}, w.faults.delay_max);
  if (far && wrong(fault_kind::reorder)) {  // those behind it do not wait for it
    arrival += w.draws.extent().between(clock::duration(1), w.faults.delay_max);
  } else {
    auto& last = last_arrival_[&there];
    last = arrival = std::max(last + clock::duration(1), arrival);
  }
  packet p{std::move(d), &of().at, &there, me};
  if (far && wrong(fault_kind::duplicate)) {
    w.time.at(arrival + a_little_later(), [&w, p]() mutable { arrives(w, std::move(p)); });
  }
  w.time.at(arrival, [&w, p = std::move(p)]() mutable { arrives(w, std::move(p)); });
}

void datagram_file::has_left(std::size_t cost) {
  held_ -= cost;
  if (wants_room_ && is_writable()) {
    wants_room_ = false;
    changed(POLLOUT);
  }
}

void datagram_file::arrives(machine& world, packet p) {
  if (world.net.blocked(*p.origin, *p.there)) return note_lost(world, p.what, "the link is down");
  datagram_file* const to = receiver(*p.there, p.what);
  if (!to) return refuse(world, p);
  to->take(std::move(p.what));
}

// icmp(7): port unreachable.
void datagram_file::refuse(machine& world, const packet& p) {
  const auto back = world.net.latency(*p.there, *p.origin, world.random);
  world.time.after(back, [&world, p] {
    const auto sender = p.sender.lock();
    if (sender && !world.net.blocked(*p.there, *p.origin)) sender->was_refused(p.what);
  });
}

// Only who sends there and nowhere else can know what is meant.
void datagram_file::was_refused(const datagram& d) {
  const bool ours = is_open() && peer_ && peer_->same_ip(d.to) && peer_->port == d.to.port &&
                    local_.port == d.from.port;
  if (!ours) return;
  error_ = ECONNREFUSED;
  changed(POLLERR);
}

// How well a socket matches: 0, not at all. One connected to the sender is first, then one bound
// to the address.
int datagram_file::fitness(const datagram& d) const {
  if (domain() != d.to.family) return 0;
  if (peer_ && !(peer_->same_ip(d.from) && peer_->port == d.from.port)) return 0;
  if (!local_.is_wildcard() && !local_.same_ip(d.to)) return 0;
  return 1 + (peer_ ? 2 : 0) + (local_.is_wildcard() ? 0 : 1);
}

datagram_file* datagram_file::receiver(const host& at, const datagram& d) {
  const auto it = at.datagram_ports.find(d.to.port);
  if (it == at.datagram_ports.end()) return nullptr;
  std::vector<datagram_file*> best;
  int most = 1;
  for (any_socket* one : it->second) {
    auto* const s = static_cast<datagram_file*>(one);  // of UDP, whose ports these are
    const int n = s->fitness(d);
    if (n > most) best.clear();
    if (n >= most) best.push_back(s);
    most = std::max(n, most);
  }
  if (best.empty()) return nullptr;
  if (!best.back()->has_option(SOL_SOCKET, SO_REUSEPORT)) return best.back();  // the latest
  // All of one sender get to the same of those that share a port: socket(7).
  std::size_t flow = d.from.port;
  for (const std::uint8_t byte : d.from.ip) flow = flow * 31 + byte;
  return best[flow % best.size()];
}

void datagram_file::note_lost(machine& world, const datagram& d, std::string_view why) {
  world.trace.noted(world.time.elapsed(), "lost: " + d.from.to_string() + " to " +
                                              d.to.to_string() + ", " + std::string(why));
}

}  // namespace iolite::simulated
