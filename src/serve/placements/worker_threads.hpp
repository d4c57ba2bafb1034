// The threads of a pool. They are joined, but for such as do not end in time: a thread cannot be
// ended from outside, and one that hangs in a call must not keep serve() from returning. It is left
// behind with all that it uses, so a body owns what it needs.
#pragma once
#include "iolite/clock.hpp"
#include "kernel/kernel.hpp"
#include "kernel/thread.hpp"

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace iolite {

class worker_threads {
 public:
  // `end_all` makes them end. `on_failure` is called by one that has thrown, until settle().
  worker_threads(kernel& os, std::function<void()> end_all, std::function<void()> on_failure)
      : os_(os), end_all_(std::move(end_all)), told_(std::make_shared<told>()) {
    told_->on_failure = std::move(on_failure);
  }
  worker_threads(const worker_threads&) = delete;
  worker_threads& operator=(const worker_threads&) = delete;
  // Where serving has not begun: all of them end at once, and are waited for.
  ~worker_threads() {
    end_all_();
    for (worker& w : all_) w.thread.join();
  }

  // Throws std::system_error when there is no thread to be had.
  template <class Body>
  void start(Body body) {
    all_.reserve(all_.size() + 1);
    auto has_ended = std::make_shared<std::atomic<bool>>(false);
    os_thread thread(os_, [&os = os_, to = told_, has_ended, own = std::move(body)]() mutable {
      run(*to, std::move(own));
      *has_ended = true;
      std::atomic_ref(to->ends).fetch_add(1);
      os.futex_wake(&to->ends, 1);
    });
    all_.push_back({std::move(thread), std::move(has_ended)});
  }
  // Once they were told to end: joins those that end by then, and leaves the others behind. Throws
  // what the first of them threw.
  void settle(clock::time_point until);

 private:
  // What a thread uses, also after it was left behind.
  struct told {
    std::mutex lock;
    std::function<void()> on_failure;  // empty once they are settled
    std::exception_ptr thrown;
    std::uint32_t ends = 0;  // the word of a futex
  };
  struct worker {
    os_thread thread;
    std::shared_ptr<std::atomic<bool>> has_ended;
  };

  // What the body owns is gone when it returns.
  template <class Body>
  static void run(told& to, Body body) {
    try {
      body();
    } catch (...) {
      const std::lock_guard hold(to.lock);
      if (!to.thrown) to.thrown = std::current_exception();
      if (to.on_failure) to.on_failure();
    }
  }

  kernel& os_;
  const std::function<void()> end_all_;
  const std::shared_ptr<told> told_;
  std::vector<worker> all_;
};

}  // namespace iolite
