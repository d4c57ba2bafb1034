// What a server serves and how: fixed before it starts, and read by each of its threads and
// processes. Nothing here belongs to one of them.
#pragma once
#include "iolite/serve.hpp"
#include "kernel/kernel.hpp"
#include "serve/log.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
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
    if (p < 0 && p > -4096) throw std::bad_alloc();
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
  // Set before the listeners are shut down, so that no worker takes that for a fault.
  std::atomic<bool> stopping = false;
  log_times logged;
};

struct service {
  service(kernel& k, handler h, const serve_options& o, model_choice m)
      : handle(std::move(h)), options(o), model(std::move(m)), shared_(k, 1) {}

  // pool, prefork.
  [[nodiscard]] unsigned workers() const noexcept {
    if (options.workers > 0) return options.workers;
    return model.engine == "blocking" ? 16U : std::max(std::thread::hardware_concurrency(), 1U);
  }

  const handler handle;
  const serve_options options;
  const model_choice model;

 private:
  shared_objects<serve_counts> shared_;

 public:
  serve_counts& counts = shared_[0];
};

}  // namespace iolite
