// A kernel of threads, futexes and event descriptors: what engines wake each other through, and how
// they wait for it; and descriptors that take all that is sent. Other calls stop the program.
#pragma once
#include "kernel/kernel.hpp"
#include "memory.hpp"

#include <array>
#include <cstdint>
#include <sys/epoll.h>
#include <vector>

namespace interleavings {

class eventfds final : public iolite::kernel {
 public:
  iolite::clock::time_point now() noexcept override;
  long invoke(iolite::call c, const iolite::call_args& a) noexcept override;

  // A descriptor that takes all that is sent, and how many bytes that were.
  int sink();
  [[nodiscard]] std::size_t sunk() const { return sunk_; }

 private:
  struct watch {
    int fd = -1;
    epoll_event wanted{};
    bool changed = false;  // since it was last reported: for edge-triggered ones
  };
  struct file {
    bool open = false;
    bool is_epoll = false;
    bool is_sink = false;
    std::uint64_t count = 0;
    vector_clock known;  // what a write told, and a read or a wait learns
    std::array<watch, 4> watches;
  };

  struct sleeper {  // in futex_wait()
    const std::uint32_t* word;
    std::uint64_t number;
    bool operator==(const sleeper&) const = default;
  };
  using thread_function = void*(void*);

  long clone(thread_function* enter, void* argument);
  int join(int number);
  int futex_wait(const std::uint32_t* word, std::uint32_t expected, bool timed);
  int futex_wake(const std::uint32_t* word, int most);
  int add(bool is_epoll);
  long write(int fd, std::uint64_t n);
  long read(int fd, std::uint64_t* out);
  int poll(pollfd* fds, std::size_t n, int ms);
  int control(int ep, int what, int fd, const epoll_event* e);
  int epoll_wait(int ep, epoll_event* out, int max, int ms);
  template <class Ready>
  bool wait(int ms, Ready ready);
  file* at(int fd);
  long send(int fd, std::size_t bytes);
  static bool reports(const file& f, const watch& w);
  static short events_of(const file& f);
  void learn(const file& f);

  std::array<file, 16> files_{};
  std::vector<sleeper> sleeping_;  // in the order in which they came
  std::uint64_t sleepers_ = 0;
  std::size_t sunk_ = 0;
};

}  // namespace interleavings
