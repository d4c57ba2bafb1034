// See listener.hpp.
#include "iolite/listener.hpp"

#include "base/assert.hpp"
#include "iolite/core/engine.hpp"
#include "kernel/kernel.hpp"
#include "net/socket_options.hpp"
#include "net/socket_path.hpp"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <utility>

namespace iolite {
namespace {

error explain(const endpoint& at, int r) {
  std::string line = "cannot listen on " + at.to_string() + ": ";
  switch (-r) {
  case EADDRINUSE:
    line += at.is_unix() ? "the path is in use, by a server or by a file that is no socket; stop "
                           "the server, or choose another path"
                         : "the address is in use; stop who uses it, or choose another port (0 "
                           "lets the system choose)";
    break;
  case EADDRNOTAVAIL: line += "this machine has no such address"; break;
  case EACCES:
    line += at.is_unix()
                ? "no permission to make the socket file; choose a directory you may write to"
                : "no permission; ports below 1024 need privileges, choose a higher one";
    break;
  case ENOENT: line += "the directory does not exist"; break;
  case EAFNOSUPPORT: line += "this kernel has no support for such addresses"; break;
  case EMFILE: line += "no descriptor is free; raise `ulimit -n`"; break;
  default: line += std::system_category().message(-r);
  }
  return {std::error_code(-r, std::system_category()), std::move(line)};
}

int set(kernel& os, int fd, int level, int name, int value) noexcept {
  return os.setsockopt(fd, level, name, &value, sizeof value);
}

int set_options(kernel& os, int fd, const listen_options& o, bool tcp) noexcept {
  if (!tcp) return 0;
  if (const int r = set(os, fd, SOL_SOCKET, SO_REUSEADDR, 1); r < 0) return r;
  if (o.reuse_port) {
    if (const int r = set(os, fd, SOL_SOCKET, SO_REUSEPORT, 1); r < 0) return r;
  }
  if (const int r = set(os, fd, IPPROTO_TCP, TCP_NODELAY, o.nodelay ? 1 : 0); r < 0) return r;
  if (o.keepalive_idle > clock::duration::zero()) {
    if (const int r = set(os, fd, SOL_SOCKET, SO_KEEPALIVE, 1); r < 0) return r;
    const int idle = keepalive_seconds(o.keepalive_idle);
    if (const int r = set(os, fd, IPPROTO_TCP, TCP_KEEPIDLE, idle); r < 0) return r;
  }
  if (o.user_timeout > clock::duration::zero()) {
    const int limit = user_timeout_ms(o.user_timeout);
    if (const int r = set(os, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, limit); r < 0) return r;
  }
  return 0;
}

// At an address that is no path. A port in use is tried again: see listener::open().
int bind_port(kernel& os, int fd, const endpoint& at) noexcept {
  const auto once = [&] {
    return os.bind(fd, static_cast<const sockaddr*>(at.native()),
                   static_cast<socklen_t>(at.native_bytes()));
  };
  int r = once();
  constexpr timespec pause{0, 5'000'000};
  for (int tries = 0; r == -EADDRINUSE && at.port() != 0 && tries < 20; ++tries) {
    os.nanosleep(&pause);
    r = once();
  }
  return r;
}

endpoint local_of(kernel& os, int fd) noexcept {
  sockaddr_storage a{};
  socklen_t n = sizeof a;
  if (fd < 0 || os.getsockname(fd, reinterpret_cast<sockaddr*>(&a), &n) < 0) return {};
  return endpoint::from_native(&a, n);
}

}  // namespace

result<void> unbound_socket::set_option(int level, int name,
                                        std::span<const std::byte> value) noexcept {
  const int r =
      engine_.os().setsockopt(fd_, level, name, value.data(), static_cast<socklen_t>(value.size()));
  if (r < 0) return failure(r);
  return {};
}

std::expected<listener, error> listener::open(engine& on, const endpoint& at,
                                              const listen_options& options) {
  kernel& os = on.os();
  const engine_traits t = on.traits();
  // Non-blocking but where the kernel waits: a queued connection may vanish between event and call.
  const bool nonblocking = t.needs_nonblocking || t.blocking;
  listener l;
  l.engine_ = &on;
  l.tcp_ = at.is_tcp();
  l.fd_ = os.socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0);
  int r = l.fd_;
  if (r >= 0) r = set_options(os, l.fd_, options, l.tcp_);
  if (r >= 0 && options.before_bind) {
    unbound_socket socket(on, l.fd_, at);
    if (const auto set = options.before_bind(socket); !set) {
      return std::unexpected(error{set.error(), "cannot listen on " + at.to_string() +
                                                    ": before_bind: " + set.error().message()});
    }
  }
  if (r >= 0 && at.socket_file()) {
    r = listen_at_path(os, l.fd_, at, options.backlog, l.path_);
  } else {
    if (r >= 0) r = bind_port(os, l.fd_, at);
    if (r >= 0) r = os.listen(l.fd_, options.backlog);
  }
  if (r < 0) return std::unexpected(explain(at, r));
  return l;
}

listener listener::adopt(engine& on, int fd) noexcept {
  listener l;
  l.engine_ = &on;
  l.fd_ = fd;
  l.tcp_ = local_of(on.os(), fd).is_tcp();
  return l;
}

listener::listener(listener&& other) noexcept { *this = std::move(other); }

listener& listener::operator=(listener&& other) noexcept {
  if (this == &other) return *this;
  close();
  IOLITE_ASSERT(!other.accepting_, "a listener is moved only while nothing is pending on it");
  engine_ = other.engine_;
  fd_ = std::exchange(other.fd_, -1);
  tcp_ = other.tcp_;
  path_ = std::exchange(other.path_, {});
  gives_blocking_ = other.gives_blocking_;
  lent_ = other.lent_;
  return *this;
}

void listener::close() noexcept {
  if (fd_ < 0) return;
  if (auto* op = std::exchange(accepting_, nullptr)) op->from_ = nullptr, engine_->cancel(*op);
  if (!engine_->is_parents()) remove_file(engine_->os(), path_);
  engine_->close(std::exchange(fd_, -1));
}

int listener::release() noexcept {
  IOLITE_ASSERT(!accepting_, "a listener is released only while nothing is pending on it");
  if (fd_ < 0) return -1;
  if (!engine_->take_nothing_ahead(fd_)) return -EBUSY;
  path_ = {};
  engine_->forget(fd_);
  return std::exchange(fd_, -1);
}

endpoint listener::local() const noexcept {
  return fd_ < 0 ? endpoint() : local_of(engine_->os(), fd_);
}

accept_operation::accept_operation(listener& from) noexcept
    : from_(&from), engine_(from.engine_), tcp_(from.tcp_) {
  kind = op_kind::accept;
  gives_blocking = from.gives_blocking_;
}

bool accept_operation::begin_on_listener(std::coroutine_handle<> h, const context& c) noexcept {
  IOLITE_ASSERT(!from_ || !from_->accepting_, "two tasks accept from one listener at a time");
  IOLITE_ASSERT(!from_ || c.on == from_->engine_ || c.on->traits().blocking,
                "a listener is used on the engine it belongs to");
  fd = from_ ? from_->fd_ : -1;
  engine_ = c.on;
  if (from_) from_->accepting_ = this;
  return begin(h, c);
}

result<stream> accept_operation::await_resume() noexcept {
  if (from_ && from_->accepting_ == this) from_->accepting_ = nullptr;
  const int r = end();
  if (r < 0) return failure(r);
  return stream(*engine_, r, tcp_);
}

}  // namespace iolite
