// How a stream tells its owner, serve(), that it has moved, was closed or was released.
#pragma once

namespace iolite {

class engine;
class stream;

namespace detail {

struct stream_owner;

// The owner of a set of connections: serve() counts them and ends them.
struct stream_home {
  // The stream of `s` is being closed: closes `fd` on engine `on`. May destroy `s`.
  virtual void close(stream_owner& s, engine& on, int fd, bool tcp) noexcept = 0;
  // The stream has given up its descriptor. May destroy `s`.
  virtual void released(stream_owner& s) noexcept = 0;
  // A limit of the connection has ended a receive or a send. Any thread.
  virtual void timed_out() noexcept {}
  // True during a drain: receives get what has arrived, then the end of the stream.
  [[nodiscard]] virtual bool ending() const noexcept = 0;

 protected:
  ~stream_home() = default;
};

// The owner's record of one connection.
struct stream_owner {
  stream_home* home;
  stream* of = nullptr;  // null once the stream is closed
};

}  // namespace detail

}  // namespace iolite
