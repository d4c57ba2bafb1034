// See process.hpp: the calls on sockets, and those that transfer bytes.
#include "kernel/simulated/descriptors/wait.hpp"
#include "kernel/simulated/sockets/bytes.hpp"
#include "kernel/simulated/sockets/datagram_file.hpp"
#include "kernel/simulated/sockets/socket_file.hpp"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>

namespace iolite::simulated {
namespace {

std::span<std::byte> room(const call_args& a) noexcept {
  return {a.as<std::byte*>(1), a.as<std::size_t>(2)};
}

// Every host has these two: netdevice(7).
long find_interface(ifreq& r) noexcept {
  const std::string_view name(r.ifr_name, ::strnlen(r.ifr_name, sizeof r.ifr_name));
  if (name != "lo" && name != "eth0") return -ENODEV;
  r.ifr_ifindex = name == "lo" ? address::loopback_interface : address::network_interface;
  return 0;
}

}  // namespace

std::shared_ptr<any_socket> process::socket_at(int fd, int& error) const {
  const auto f = files_.share(fd);
  auto s = std::dynamic_pointer_cast<any_socket>(f);
  error = !f ? -EBADF : !s ? -ENOTSOCK : 0;
  return s;
}

long process::socket_call(call c, const call_args& a) {
  const auto fd = a.as<int>(0);
  if (c == call::socket) return new_socket(fd, a.as<int>(1), a.as<int>(2));
  if (c == call::socketpair) return new_pair(fd, a.as<int>(1), a.as<int*>(3));
  if (c == call::accept4) return accept(fd, a.as<sockaddr*>(1), a.as<socklen_t*>(2), a.as<int>(3));
  if (c == call::connect) return connect(fd, a.as<const sockaddr*>(1), a.as<socklen_t>(2));
  int error = 0;
  const auto s = socket_at(fd, error);
  if (!s) return error;
  switch (c) {
  case call::bind: {
    address at;
    const int r = read_address(a.as<const sockaddr*>(1), a.as<socklen_t>(2), s->local().family, at);
    return r < 0 ? r : s->bind(at);
  }
  case call::listen: return s->listen(a.as<int>(1));
  case call::shutdown: return s->shutdown(a.as<int>(1));
  case call::getsockname:
    return write_address(s->local(), a.as<sockaddr*>(1), a.as<socklen_t*>(2)), 0;
  case call::getpeername:
    if (!s->peer()) return -ENOTCONN;
    return write_address(*s->peer(), a.as<sockaddr*>(1), a.as<socklen_t*>(2)), 0;
  case call::setsockopt:
    return s->set_option(a.as<int>(1), a.as<int>(2), a.as<const void*>(3), a.as<socklen_t>(4));
  case call::getsockopt:
    return s->get_option(a.as<int>(1), a.as<int>(2), a.as<void*>(3), a.as<socklen_t*>(4));
  case call::ioctl:
    switch (a.as<unsigned long>(1)) {
    case SIOCGIFINDEX: return find_interface(*a.as<ifreq*>(2));
    case FIONREAD: *a.as<int*>(2) = static_cast<int>(s->bytes_arrived()); return 0;
    case TIOCOUTQ: *a.as<int*>(2) = static_cast<int>(s->bytes_unsent()); return 0;
    default: return -ENOTTY;
    }
  default: return -ENOSYS;
  }
}

long process::new_socket(int domain, int type, int protocol) {
  if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX) return -EAFNOSUPPORT;
  constexpr int flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
  const bool datagrams = (type & ~flags) == SOCK_DGRAM && domain != AF_UNIX;
  if ((type & ~flags) != SOCK_STREAM && !datagrams) return -ESOCKTNOSUPPORT;
  const int only = datagrams ? IPPROTO_UDP : IPPROTO_TCP;
  if (protocol != 0 && (domain == AF_UNIX || protocol != only)) return -EPROTONOSUPPORT;
  if (const long r = refuse_memory(); r < 0) return r;
  std::shared_ptr<any_socket> s;
  if (datagrams) s = std::make_shared<datagram_file>(site_, domain);
  else s = std::make_shared<socket_file>(site_, domain);
  if (type & SOCK_NONBLOCK) s->status_flags |= O_NONBLOCK;
  return files_.add(s, (type & SOCK_CLOEXEC) != 0);
}

long process::new_pair(int domain, int type, int* two) {
  if (domain != AF_UNIX) return -EOPNOTSUPP;
  if ((type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != SOCK_STREAM) return -ESOCKTNOSUPPORT;
  if (!files_.has_room(2)) return -EMFILE;
  if (const long r = refuse_memory(); r < 0) return r;
  const std::array ends = {std::make_shared<socket_file>(site_, AF_UNIX),
                           std::make_shared<socket_file>(site_, AF_UNIX)};
  socket_file::join_unix(ends[0], ends[1]);
  for (std::size_t i = 0; i < 2; ++i) {
    if (type & SOCK_NONBLOCK) ends[i]->status_flags |= O_NONBLOCK;
    two[i] = files_.add(ends[i], (type & SOCK_CLOEXEC) != 0);
  }
  return 0;
}

long process::accept(int fd, sockaddr* to, socklen_t* bytes, int flags) {
  int error = 0;
  const auto s = socket_at(fd, error);
  if (!s) return error;
  if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) return -EINVAL;
  if (!files_.has_room())
    return -EMFILE;  // before the queue is touched: the connection stays there
  std::shared_ptr<any_socket> child;
  const bool waits = (s->status_flags & O_NONBLOCK) == 0;
  const long r = until_ready(s, POLLIN, waits, [&]() -> long {
    if (const int bad = s->may_accept(waits); bad < 0) return bad;
    if ((s->readiness() & POLLIN) != 0) {
      if (const long refused = refuse_memory(); refused < 0) return refused;
    }
    // One that nobody will miss was reset while it waited in the queue.
    if (wrong(fault_kind::abort_accept)) return -ECONNABORTED;
    child = s->accept();
    return child ? 0 : -EAGAIN;
  });
  if (r < 0) return r;
  if (flags & SOCK_NONBLOCK) child->status_flags |= O_NONBLOCK;
  if (to && child->peer()) write_address(*child->peer(), to, bytes);
  return files_.add(child, (flags & SOCK_CLOEXEC) != 0);
}

long process::connect(int fd, const sockaddr* to, socklen_t bytes) {
  int error = 0;
  const auto s = socket_at(fd, error);
  if (!s) return error;
  address at;
  if (leads_nowhere(to, bytes)) return s->disconnect();
  if (const int r = read_address(to, bytes, s->local().family, at); r < 0) return r;
  const bool waits = (s->status_flags & O_NONBLOCK) == 0;
  if (s->is_fresh()) {
    if (const long refused = refuse_memory(); refused < 0) return refused;
  }
  const int r = s->connect(at);
  if (!waits || (r != -EINPROGRESS && r != -EALREADY)) return r;
  return until_ready(s, POLLOUT, true, [&]() -> long {
    const int now = s->connect(at);
    return now == -EALREADY ? -EAGAIN : now;
  });
}

long process::refuse_memory() {
  if (!wrong(fault_kind::no_memory)) return 0;
  return site_.world.draws.extent().below(2) == 0 ? -ENOBUFS : -ENOMEM;
}

long process::transfer(call c, const call_args& a) {
  const auto f = files_.share(a.as<int>(0));
  if (!f) return -EBADF;
  const bool in = c == call::recv || c == call::recvfrom || c == call::read;
  const bool on_file = c == call::read || c == call::write;
  auto* const s = dynamic_cast<any_socket*>(f.get());
  if (!on_file && !s) return -ENOTSOCK;
  const int flags = on_file ? 0 : a.as<int>(3);
  const bool waits = (f->status_flags & O_NONBLOCK) == 0 && (flags & MSG_DONTWAIT) == 0;
  if (s && wrong(fault_kind::interrupt)) return -EINTR;
  if (c == call::send || c == call::sendto) {
    if (const long r = refuse_memory(); r < 0) return r;
  }
  address peer;
  const bool has_peer = (c == call::sendto || c == call::recvfrom) && a.as<sockaddr*>(4);
  if (!in && s) {
    if (has_peer && s->type() == SOCK_DGRAM) {  // streams do not look at it
      const int r = read_address(a.as<sockaddr*>(4), a.as<socklen_t>(5), s->local().family, peer);
      if (r < 0) return r;
    }
    if (const int r = s->prepare_to_send(); r < 0) return r;
  }
  const bool is_stream = !s || s->type() == SOCK_STREAM;
  std::size_t moved = 0;
  long r = 0;
  do {
    const auto rest = room(a).subspan(moved);
    r = until_ready(f, in ? POLLIN : POLLOUT, waits, [&]() -> long {
      if (on_file) return in ? f->read(rest) : f->write(rest);
      if (!in) return s->send(rest, has_peer ? &peer : nullptr);
      return s->receive(rest, waits ? flags : flags | MSG_DONTWAIT, &peer);
    });
    if (r > 0) moved += static_cast<std::size_t>(r);
    // Whoever waits for room waits until all of it is taken: send(2). A short one is a fault.
  } while (!in && is_stream && waits && r > 0 && moved < room(a).size() &&
           (f->readiness() & POLLOUT) == 0);
  if (moved > 0) r = static_cast<long>(moved);
  if (r == -EPIPE && is_stream && (flags & MSG_NOSIGNAL) == 0) site_.signals.raise(SIGPIPE);
  if (r >= 0 && in && has_peer) write_address(peer, a.as<sockaddr*>(4), a.as<socklen_t*>(5));
  return r;
}

// Without an address or ancillary data. To the socket it is one send, as on Linux.
long process::send_gathered(const call_args& a) {
  const auto& message = *a.as<const msghdr*>(1);
  if (message.msg_name || message.msg_control) return -EOPNOTSUPP;
  const std::vector<std::byte> whole = joined({message.msg_iov, message.msg_iovlen});
  return transfer(call::send, call_args(a.word[0], whole.data(), whole.size(), a.word[2]));
}

}  // namespace iolite::simulated
