// See network.hpp.
#include "kernel/simulated/world/network.hpp"

#include <algorithm>

namespace iolite::simulated {

bool host::owns(const address& a) const noexcept {
  if (a.is_loopback() || a.is_wildcard()) return true;
  return std::ranges::any_of(addresses, [&](const address& mine) { return mine.same_ip(a); });
}

host& network::add(std::string name) {
  hosts_.push_back(std::make_unique<host>());
  hosts_.back()->number = hosts_.size();
  hosts_.back()->name = std::move(name);
  hosts_.back()->storage.set_device(hosts_.size());
  return *hosts_.back();
}

host* network::find(const host& from, const address& to) noexcept {
  for (const auto& h : hosts_) {
    const bool local = to.is_loopback() || to.is_wildcard();
    if (local ? h.get() == &from : h->owns(to)) return h.get();
  }
  return nullptr;
}

void network::set_link(const host& a, const host& b, link l) {
  links_[{a.number, b.number}] = links_[{b.number, a.number}] = l;
}

void network::block(const host& from, const host& to, bool on) {
  blocked_[{from.number, to.number}] = on;
}

bool network::blocked(const host& from, const host& to) const {
  if (!from.is_up || !to.is_up) return true;
  const auto it = blocked_.find({from.number, to.number});
  return it != blocked_.end() && it->second;
}

const link& network::between(const host& from, const host& to) const {
  const auto it = links_.find({from.number, to.number});
  return it == links_.end() ? usual_ : it->second;
}

clock::duration network::transit(const host& from, const host& to, std::size_t bytes,
                                 clock::time_point now, random_source& random) {
  const clock::duration flight = latency(from, to, random);
  return flight + occupy(from, to, bytes, now);
}

clock::duration network::occupy(const host& from, const host& to, std::size_t bytes,
                                clock::time_point now) {
  const std::uint64_t rate = &from == &to ? 0 : between(from, to).bytes_per_second;
  if (rate == 0 || bytes == 0) return {};
  clock::time_point& busy = busy_until_[{from.number, to.number}];
  busy = std::max(busy, now) + clock::duration(bytes * 1'000'000'000 / rate);
  return busy - now;
}

clock::duration network::latency(const host& from, const host& to, random_source& random) {
  using std::chrono::microseconds;
  if (&from == &to) return random.between(microseconds(2), microseconds(30));
  const link& l = between(from, to);
  return random.between(l.latency_min, l.latency_max);
}

}  // namespace iolite::simulated
