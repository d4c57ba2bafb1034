// What a server serves and how: fixed before it starts, and read by each of its threads and
// processes until it has ended. Nothing here belongs to one of them.
#pragma once
#include "iolite/serve.hpp"
#include "kernel/kernel.hpp"
#include "serve/log.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <sys/mman.h>
#include <thread>
#include <utility>

namespace iolite {

// Objects that a process shares with the children it forks later: mmap(2), MAP_SHARED. They are of
// types without a destructor.
template <class T>
class shared_objects {
 public:
  // Throws std::bad_alloc.
  shared_objects(kernel& os, std::size_t n) : os_(os), bytes_(n * sizeof(T)) {
    const long p = os.mmap(bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!kernel::is_address(p)) throw std::bad_alloc();
    all_ = reinterpret_cast<T*>(p);
    std::uninitialized_value_construct_n(all_, n);
  }
  shared_objects(const shared_objects&) = delete;
  shared_objects& operator=(const shared_objects&) = delete;
  ~shared_objects() { os_.munmap(all_, bytes_); }

  [[nodiscard]] T& operator[](std::size_t i) const noexcept { return all_[i]; }

 private:
  kernel& os_;
  const std::size_t bytes_;
  T* all_ = nullptr;
};

// Written by all threads and processes of a server.
struct serve_counts {
  std::atomic<std::uint64_t> connections = 0;
  std::atomic<std::uint64_t> handler_failures = 0;
  std::atomic<std::uint64_t> accept_pauses = 0;
  std::atomic<std::uint64_t> children_restarted = 0;
  std::atomic<std::uint64_t> connections_cancelled = 0;
  std::atomic<std::uint64_t> connections_left = 0;
  std::atomic<std::uint64_t> connections_refused = 0;
  std::atomic<std::uint64_t> transfers_timed_out = 0;
  // Set before the listeners are shut down, so that no worker takes that for a fault.
  std::atomic<bool> stopping = false;
  log_times logged;
};

struct service {
  service(kernel& k, handler h, const serve_options& o, model_choice m)
      : handle(std::move(h)), options(o), model(std::move(m)), shared_(k, 1), now_(k, counting()) {}

  // pool, prefork.
  [[nodiscard]] unsigned workers() const noexcept {
    if (options.workers > 0) return options.workers;
    return model.engine == "blocking" ? 16U : std::max(std::thread::hardware_concurrency(), 1U);
  }

  [[nodiscard]] serve_report report() const noexcept;
  // How many connections there are: under `prefork` those of a worker.
  [[nodiscard]] std::atomic<unsigned>& now(std::size_t worker = 0) const noexcept {
    return now_[worker];
  }

  // Destroys what the program has given. A thread of a connection goes on for a moment after that
  // has ended: it must not be the one to do so, when serve() has returned and what the handler
  // refers to may be gone.
  void forget_program() noexcept {
    handle = {};
    options.on_listening = {};
    options.log = {};
    options.beside.clear();
    options.on_drain = {};
    options.on_accept = {};
    options.sockets.before_bind = {};
  }

  handler handle;
  serve_options options;
  const model_choice model;

 private:
  // Those that count connections: the workers of `prefork`, or one for all.
  [[nodiscard]] std::size_t counting() const noexcept {
    return model.placement == placement::prefork ? std::min(workers(), workers_max) : 1;
  }

  shared_objects<serve_counts> shared_;
  shared_objects<std::atomic<unsigned>> now_;

 public:
  static constexpr unsigned workers_max = 1024;
  serve_counts& counts = shared_[0];
};

struct serve_meter::state {
  std::mutex lock;
  const service* of = nullptr;  // that runs
  serve_report last;  // of the one before
};

}  // namespace iolite
