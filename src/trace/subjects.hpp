// An engine, a connection that it waits on, and the tasks that it runs for a measurement.
#pragma once
#include "iolite/core/engine.hpp"
#include "iolite/scope.hpp"
#include "iolite/stream.hpp"
#include "trace/connections.hpp"

#include <memory>
#include <string>
#include <vector>

namespace iolite::trace {

inline constexpr unsigned warm_up = 5;  // rounds that do not count

// What a measurement runs on: its calls are traced, its operations observed.
class traced_engine {
 public:
  traced_engine(kernel& traced_os, std::string name) : os_(traced_os), name_(std::move(name)) {}
  traced_engine(const traced_engine&) = delete;
  traced_engine& operator=(const traced_engine&) = delete;
  ~traced_engine();

  // Its connection has messages of `bytes`.
  result<void> open(bool over_unix, std::size_t bytes, observer& o);
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] int fd() const noexcept { return stream_.native_handle(); }
  [[nodiscard]] int peer_fd() const noexcept { return peer_fd_; }

  // Receives the whole message and answers it, then sleeps for `rest`. False: it could not.
  bool receive_and_answer(std::size_t bytes, clock::duration rest);
  // The same without a rest, while `due` timers, `apart` from each other, run on the same thread.
  struct timers {
    unsigned due;
    clock::duration apart;
    std::vector<clock::time_point> ran;
  };
  bool receive_beside(timers& t, std::size_t bytes);
  // The socket may hold `bytes` that nobody has received, as far as the system grants it.
  void make_room(std::size_t bytes) noexcept;
  // Receives what is there already, and does not answer.
  bool receive(std::size_t bytes);

 private:
  kernel& os_;
  std::string name_;
  std::unique_ptr<engine> engine_;
  stream stream_;
  int peer_fd_ = -1;
  std::vector<std::byte> buffer_;
};

}  // namespace iolite::trace
