// A listening socket, TCP or unix.
#pragma once
#include "iolite/endpoint.hpp"
#include "iolite/stream.hpp"

namespace iolite {

// What a server sets once, on the listener: accepted TCP sockets inherit it, which costs nothing.
struct listen_options {
  int backlog = 4096;       // the system caps it at net.core.somaxconn
  bool reuse_port = false;  // SO_REUSEPORT: several listeners share one port
  bool nodelay = true;      // TCP_NODELAY
  clock::duration keepalive_idle = std::chrono::minutes(2);  // SO_KEEPALIVE; zero: off
  clock::duration user_timeout = std::chrono::minutes(1);    // TCP_USER_TIMEOUT; zero: off
};

class accept_operation;
class server;

namespace detail {

// The file of a unix socket that listens, as lstat(2) knows it. Empty: there is none to remove.
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

  // Binds and listens. An address in use is tried again for 100 ms: a killed io_uring server keeps
  // its port for some time. A unix socket left behind by a dead server is replaced, of several
  // servers that try so at once by one; anything else at the path is left alone, and the path is in
  // use. The message says what to do.
  [[nodiscard]] static std::expected<listener, error> open(engine& on, const endpoint& at,
                                                           const listen_options& options = {});
  // Takes over a listening socket.
  [[nodiscard]] static listener adopt(engine& on, int fd) noexcept;

  // The next connection. Connections that died in the queue are passed over; EMFILE, ENFILE,
  // ENOBUFS and ENOMEM come out. One accept may be pending at a time.
  [[nodiscard]] accept_operation accept() noexcept;
  // Accepted sockets block, for an engine on another thread that wants them so.
  void give_blocking_sockets(bool on) noexcept { gives_blocking_ = on; }
  // A pending accept ends with std::errc::operation_canceled. The listener that made a unix path
  // removes it first, unless another file has come in its place since.
  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int native_handle() const noexcept { return fd_; }
  // The descriptor, now the caller's to close; so is a unix path, to remove. -EBUSY: connections
  // have left its queue already (io_uring, right after the last accept): accept them, which does
  // not wait, then try again; the listener stays as it is.
  [[nodiscard]] int release() noexcept;
  // The address with the real port.
  [[nodiscard]] endpoint local() const noexcept;

 private:
  friend class accept_operation;
  friend class server;
  engine* engine_ = nullptr;
  int fd_ = -1;
  bool tcp_ = false;
  bool gives_blocking_ = false;
  detail::socket_path path_;  // to remove
  accept_operation* accepting_ = nullptr;  // pending, or null
};

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
