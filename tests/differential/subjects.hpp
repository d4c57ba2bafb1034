// Descriptors of every kind that a selector may watch, and what can happen to each of them.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

namespace iolite_test::differential {

// What happens to a descriptor, mostly by what its other side does.
enum class change : std::uint8_t {
  data,       // something arrives: bytes, a connection, a signal, the end of a process
  drain,      // all that has arrived is taken
  fill,       // it is written to until there is no room
  room,       // the other side takes all
  half_end,   // the other side ends its sending
  end,        // the other side closes
  end_elsewhere,  // another process, which has had the other side alone, is killed
  error,      // the other side resets the connection; a connection is refused
  urgent,     // one byte out of band
  own_half_end,  // it ends its own sending
  own_end,    // it ends its own receiving
};
inline constexpr std::size_t changes = 11;

enum class kind : std::uint8_t {
  tcp,
  unix_stream,
  unix_seqpacket,
  unix_datagram,
  udp,
  tcp_listener,
  unix_listener,
  tcp_connecting,
  pipe_reader,
  pipe_writer,
  fifo_reader,
  fifo_writer,
  terminal,
  terminal_master,
  event,
  timer,
  process,
  signal,
  inotify,
  epoll,
  null_device,
  zero_device,
  file,
  directory,
};
inline constexpr std::size_t kinds = 24;

[[nodiscard]] std::string_view name_of(change c) noexcept;
[[nodiscard]] std::string_view name_of(kind k) noexcept;

class subject {
 public:
  subject() = default;
  subject(const subject&) = delete;
  subject& operator=(const subject&) = delete;
  virtual ~subject() = default;

  [[nodiscard]] virtual int fd() const noexcept = 0;
  // False: it cannot happen to this one, or not any more.
  virtual bool happen(change c) = 0;
};

// Throws std::system_error when the system has none to give.
[[nodiscard]] std::unique_ptr<subject> make_subject(kind k);

// What poll(2) says of it now, in the words of a selector: a hang-up or error is all of `asked`.
struct state {
  unsigned ready = 0;  // IOLITE_READ, IOLITE_WRITE
  bool hung_up = false;
  bool operator==(const state&) const = default;
};
[[nodiscard]] state state_of(int fd, unsigned asked);

}  // namespace iolite_test::differential
