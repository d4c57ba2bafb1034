// The other side of the exchange, in a thread of its own: it looks where the waiting thread sleeps,
// sends the message when its time has come, and waits for the answer.
#pragma once
#include "kernel/thread.hpp"
#include "trace/events.hpp"
#include "trace/recorder.hpp"

#include <atomic>
#include <cstddef>

namespace iolite::trace {

class peer {
 public:
  // `waiting` is the thread that is looked at; `cpu` the processor it takes, or -1.
  peer(kernel& os, const recorder& watched, int waiting, int cpu);
  peer(const peer&) = delete;
  peer& operator=(const peer&) = delete;
  ~peer();

  // Sends `bytes` on `fd`, `delay` after the recorder's receive has begun. The other side must
  // receive them and answer with one byte.
  void send_after(int fd, std::size_t bytes, clock::duration delay) noexcept;
  // Waits until that is over. What it saw is in `out`; false: it could not send, or no answer came.
  bool finish(recording& out) noexcept;

 private:
  struct work {
    int fd = -1;
    std::size_t bytes = 0;
    clock::duration delay{};
  };
  void run() noexcept;
  bool exchange(const work& w) noexcept;
  bool wait_for_start() noexcept;
  void look() noexcept;
  void sleep_until(clock::time_point t) const noexcept;
  void give_up(int fd) const noexcept;

  kernel& os_;
  const recorder& watched_;
  const int waiting_, cpu_;
  std::vector<std::byte> message_;
  work work_;
  // What it saw of the last exchange.
  recording seen_;
  bool good_ = false;
  std::uint32_t begun_ = 0, done_ = 0;  // exchanges: futexes
  std::atomic<bool> ends_ = false;
  os_thread thread_;
};

}  // namespace iolite::trace
