// A listening socket, TCP or unix.
#pragma once
#include "iolite/endpoint.hpp"
#include "iolite/stream.hpp"

#include <cstddef>
#include <functional>
#include <span>

namespace iolite {

// A socket before it is bound: listen_options::before_bind. It works in simulated worlds, too.
class unbound_socket {
 public:
  unbound_socket(engine& on, int fd, const endpoint& address) noexcept
      : engine_(on), fd_(fd), address_(address) {}
  unbound_socket(const unbound_socket&) = delete;
  unbound_socket& operator=(const unbound_socket&) = delete;

  [[nodiscard]] int number() const noexcept { return fd_; }  // for calls of one's own
  [[nodiscard]] const endpoint& address() const noexcept { return address_; }  // it will have
  // setsockopt(2), with an int or any other value.
  result<void> set_option(int level, int name, int value) noexcept {
    return set_option(level, name, std::as_bytes(std::span(&value, 1)));
  }
  result<void> set_option(int level, int name, std::span<const std::byte> value) noexcept;

 private:
  engine& engine_;
  const int fd_;
  const endpoint& address_;
};

// Socket options of a listener. Accepted TCP sockets inherit them, which costs no system call.
struct listen_options {
  int backlog = 4096;       // the system caps it at net.core.somaxconn
  bool reuse_port = false;  // SO_REUSEPORT: several listeners share one port
  bool nodelay = true;      // TCP_NODELAY
  clock::duration keepalive_idle = std::chrono::minutes(2);  // SO_KEEPALIVE; zero: off
  clock::duration user_timeout = std::chrono::minutes(1);    // TCP_USER_TIMEOUT; zero: off
  // Called for each socket before bind(2), after the options above: for others. An error ends
  // open(), whose message contains it; so does an exception.
  std::function<result<void>(unbound_socket&)> before_bind = {};
};

class accept_operation;
class server;

namespace detail {

// The file of a listening unix socket, identified by lstat(2). Empty: there is none to remove.
struct socket_path {
  endpoint at;
  std::uint64_t device = 0, inode = 0;
};

}  // namespace detail

class listener {
 public:
  listener() noexcept = default;
  listener(listener&& other) noexcept;
  listener& operator=(listener&& other) noexcept;
  ~listener() { close(); }

  // Binds and listens. If the address is in use it retries for 100 ms, because a killed io_uring
  // server keeps its port for a while. It replaces a unix socket that a dead server left behind; if
  // several servers try at once, one of them succeeds. Any other file at the path is left alone and
  // the address counts as in use. The error's message says what to do.
  [[nodiscard]] static std::expected<listener, error> open(engine& on, const endpoint& at,
                                                           const listen_options& options = {});
  // Takes over a listening socket.
  [[nodiscard]] static listener adopt(engine& on, int fd) noexcept;

  // The next connection. Connections that died in the queue are skipped; EMFILE, ENFILE, ENOBUFS
  // and ENOMEM are reported. One accept may be pending at a time.
  [[nodiscard]] accept_operation accept() noexcept;
  // Makes accepted sockets blocking, for an engine on another thread that needs that.
  void give_blocking_sockets(bool on) noexcept { gives_blocking_ = on; }
  // A pending accept ends with std::errc::operation_canceled. A listener that created a unix path
  // removes it first, unless another file has replaced it since.
  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int native_handle() const noexcept { return fd_; }
  // Gives up the descriptor, which the caller must close; a unix path is the caller's to remove.
  // -EBUSY if the engine has already taken connections from the queue (io_uring, right after the
  // last accept): accept them, which does not wait, and try again. The listener is then unchanged.
  [[nodiscard]] int release() noexcept;
  // The bound address, with the actual port.
  [[nodiscard]] endpoint local() const noexcept;

 private:
  friend class accept_operation;
  friend class server;
  engine* engine_ = nullptr;
  int fd_ = -1;
  bool tcp_ = false;
  bool gives_blocking_ = false;
  bool lent_ = false;  // its queue is another's: serve_options::listen
  detail::socket_path path_;  // to remove
  accept_operation* accepting_ = nullptr;  // pending, or null
};

// co_await: result<stream>, the next connection. listener::accept() makes it.
class accept_operation : public awaitable_operation {
 public:
  explicit accept_operation(listener& from) noexcept;
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return begin_on_listener(h, h.promise().ctx());
  }
  result<stream> await_resume() noexcept;

 private:
  bool begin_on_listener(std::coroutine_handle<> h, const context& c) noexcept;
  friend class listener;
  listener* from_;  // null once the listener is closed
  engine* engine_;
  bool tcp_ = false;
};

inline accept_operation listener::accept() noexcept { return accept_operation(*this); }

}  // namespace iolite
