// See any_socket.hpp.
#include "kernel/simulated/sockets/any_socket.hpp"

#include <algorithm>
#include <netinet/in.h>
#include <sys/stat.h>

namespace iolite::simulated {

any_socket::any_socket(site& of, int domain, int type) noexcept
    : file(of), domain_(domain), type_(type) {
  local_.family = domain;
  status_flags = O_RDWR;
  next_on_host_ = std::exchange(of.at.sockets, this);
  if (next_on_host_) next_on_host_->previous_on_host_ = this;
}

any_socket::~any_socket() {
  leave_ports();
  if (next_on_host_) next_on_host_->previous_on_host_ = previous_on_host_;
  (previous_on_host_ ? previous_on_host_->next_on_host_ : of().at.sockets) = next_on_host_;
}

int any_socket::protocol() const noexcept {
  if (is_unix()) return 0;
  return type_ == SOCK_DGRAM ? IPPROTO_UDP : IPPROTO_TCP;
}

void any_socket::about(struct stat& out) const {
  file::about(out);
  out.st_mode = S_IFSOCK | 0777;
}

int any_socket::bind(const address& at) {
  if (bound_) return -EINVAL;
  if (at.is_link_local() && at.scope == 0) return -EINVAL;
  if (at.scope > address::network_interface) return -ENODEV;
  if (!of().at.owns(at)) return -EADDRNOTAVAIL;
  return bind_port(at);
}

// --- ports ---

host::port_table& any_socket::ports() const noexcept {
  return type_ == SOCK_DGRAM ? of().at.datagram_ports : of().at.ports;
}

int any_socket::bind_port(const address& at) {
  address wanted = at;
  if (at.port == 0) {
    const int port = free_port(at);
    if (port < 0) return port;
    wanted.port = static_cast<std::uint16_t>(port);
  } else if (port_taken(at)) {
    return -EADDRINUSE;
  }
  local_ = wanted;
  bound_ = true;
  ports()[local_.port].push_back(this);
  return 0;
}

bool any_socket::has_option(int level, int name) const {
  const auto it = options_.find({level, name});
  return it != options_.end() && it->second != 0;
}

bool any_socket::port_taken(const address& at) const {
  const auto both = [this](const any_socket& s, int name) {
    return s.has_option(SOL_SOCKET, name) && has_option(SOL_SOCKET, name);
  };
  const auto it = ports().find(at.port);
  if (it == ports().end()) return false;
  return std::ranges::any_of(it->second, [&](const any_socket* s) {
    const bool meet = s->domain_ == domain_ &&
                      (s->local_.is_wildcard() || at.is_wildcard() || s->local_.same_ip(at));
    if (!meet || !s->guards_port() || both(*s, SO_REUSEPORT)) return false;
    return !(both(*s, SO_REUSEADDR) && !s->is_listening());
  });
}

// An ephemeral one. Tried at random, then in order: there may be few left.
int any_socket::free_port(const address& at) const {
  const unsigned first = world().net.ports_first;
  const unsigned many = world().net.ports_last - first + 1;
  const auto begin = static_cast<unsigned>(world().random.below(many));
  for (unsigned i = 0; i < many; ++i) {
    address tried = at;
    tried.port = static_cast<std::uint16_t>(first + (begin + i) % many);
    if (!ports().contains(tried.port)) return tried.port;
  }
  return -EADDRINUSE;
}

void any_socket::leave_ports() {
  if (is_unix() || !std::exchange(bound_, false)) return;
  const auto it = ports().find(local_.port);
  if (it == ports().end()) return;
  std::erase(it->second, this);
  if (it->second.empty()) ports().erase(it);
}

// --- addresses ---

address any_socket::meant_by(const address& to) const {
  if (!to.is_wildcard()) return to;
  address out = to;
  out.ip = {};
  out.ip[domain_ == AF_INET ? 0 : 15] = domain_ == AF_INET ? 127 : 1;
  if (domain_ == AF_INET) out.ip[3] = 1;
  return out;
}

bool any_socket::choose_source(const address& to, const host* there, address& from) const {
  from.family = domain_;
  const auto& mine = of().at.addresses;
  const auto same = std::ranges::find(mine, domain_, &address::family);
  if (there == &of().at) from.ip = to.ip;
  else if (same == mine.end()) return false;
  else from.ip = same->ip;
  return true;
}

clock::duration any_socket::a_little_later() {
  return world().draws.extent().between(std::chrono::microseconds(1), std::chrono::milliseconds(2));
}

}  // namespace iolite::simulated
