// A value that is expensive to make, and is made anew in the background while the old one is used.
//
// `make` runs on a helper thread, so that it may compute and block; the loop goes on. Whoever asks
// gets the newest value at once. Only before the first one somebody waits.
#pragma once
#include <iolite/iolite.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

template <class T>
class refreshed {
 public:
  using value = std::shared_ptr<const T>;  // stays as it is for whoever holds it

  // What `make` throws is logged, and the old value stays.
  refreshed(std::function<T()> make, iolite::clock::duration period,
            std::function<void(const std::string&)> log)
      : make_(std::move(make)), period_(period), log_(std::move(log)) {}

  // Makes it at once, and then each period, until cancelled. Where that takes longer, the ticks
  // that have passed meanwhile are left out.
  iolite::task<> keep_fresh() {
    iolite::ticker every(period_);
    for (;;) {
      const auto made = co_await iolite::offload([this] { return try_make(); });
      if (!made) co_return;  // cancelled
      if (*made) publish(*made);
      const auto ticked = co_await every.next();
      if (!ticked) co_return;
    }
  }

  // Waits for the first value only. On any model, from any thread.
  iolite::task<iolite::result<value>> get() {
    const auto there = co_await first_.wait();
    if (!there) co_return std::unexpected(there.error());
    const std::lock_guard hold(lock_);
    co_return now_;
  }

 private:
  value try_make() const {
    try {
      return std::make_shared<const T>(make_());
    } catch (const std::exception& e) {
      log_(iolite::one_line(e.what()));
      return nullptr;
    }
  }
  void publish(value made) {
    const std::lock_guard hold(lock_);
    now_ = std::move(made);
    first_.set();
  }

  const std::function<T()> make_;
  const iolite::clock::duration period_;
  const std::function<void(const std::string&)> log_;
  iolite::event first_;  // there is a value
  std::mutex lock_;
  value now_;
};
