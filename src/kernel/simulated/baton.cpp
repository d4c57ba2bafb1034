// See baton.hpp.
#include "kernel/simulated/baton.hpp"

#include <algorithm>
#include <utility>

namespace iolite::simulated {

baton::baton(timeline& time, random_source& random) : time_(time), random_(random) {
  actors_.push_back(std::make_unique<actor>());
  current_ = actors_.front().get();
  current_->id = std::this_thread::get_id();
}

baton::~baton() {
  for (const auto& a : actors_) {
    if (a->thread.joinable()) a->thread.join();
  }
}

void baton::actor::give_turn() {
  const std::lock_guard hold(lock);
  turn = true;
  came.notify_one();
}

void baton::actor::take_turn() {
  std::unique_lock hold(lock);
  came.wait(hold, [this] { return turn; });
  turn = false;
}

bool baton::actor::can_go_on(clock::time_point now) {
  if (over) return false;
  if (!waits || until <= now) return true;
  if (!wants.version) return wants.holds(wants.of);
  const std::uint64_t version = *wants.version;  // the look itself may change something
  if (seen == version) return false;
  const bool able = wants.holds(wants.of);
  if (!able) seen = version;  // who is able is so until it had its turn
  return able;
}

bool baton::is_mine() const noexcept { return current_->id == std::this_thread::get_id(); }

void baton::start(std::function<void()> body) {
  actors_.push_back(std::make_unique<actor>());
  actor& a = *actors_.back();
  ++live_;
  a.thread = std::thread([this, &a, own = std::move(body)]() mutable { live(a, std::move(own)); });
}

void baton::live(actor& me, std::function<void()> body) {
  me.take_turn();
  me.id = std::this_thread::get_id();
  body();
  body = nullptr;  // what it holds goes while the turn is ours
  me.over = true;
  --live_;
  actor& next = choose();
  current_ = &next;
  next.give_turn();
}

waited baton::wait_for(need wants, clock::time_point until) {
  actor& me = *current_;
  me.wants = wants;
  me.until = until;
  me.waits = true;
  if (wants.version) me.seen = *wants.version - 1;  // what holds already is seen as well
  actor& next = choose();
  if (&next != &me) {
    current_ = &next;
    next.give_turn();
    me.take_turn();
  }
  me.waits = false;
  if (wants.holds(wants.of)) return waited::holds;
  return &me == actors_.front().get() && std::exchange(stuck_, false) ? waited::stuck
                                                                      : waited::time_is_up;
}

baton::actor& baton::choose() {
  actor& driver = *actors_.front();
  for (;;) {
    time_.run_due();
    if (driver.can_go_on(time_.now())) return driver;
    able_.clear();
    clock::time_point next = never;
    for (const auto& a : actors_) {
      if (a->can_go_on(time_.now())) able_.push_back(a.get());
      else if (!a->over && a.get() != &driver) next = std::min(next, a->until);
    }
    if (able_.size() == 1) return *able_.front();
    if (!able_.empty()) return *able_[random_.below(able_.size())];
    next = std::min(next, time_.next());  // a look may have brought about something, too
    if (next == never && (live_ > 0 || driver.until == never)) {
      stuck_ = true;
      return driver;
    }
    time_.jump(std::min(next, driver.until));
  }
}

void baton::abandon() noexcept {
  abandoned_ = true;
  for (const auto& a : actors_) {
    if (a->thread.joinable() && !a->over) a->thread.detach();
  }
}

}  // namespace iolite::simulated
