// See baton.hpp.
#include "kernel/simulated/baton.hpp"

#include <algorithm>
#include <utility>

namespace iolite::simulated {

baton::baton(timeline& time, random_source& random) : time_(time), random_(random) {
  actors_.push_back(std::make_unique<actor>());
  current_ = actors_.front().get();
  current_->runs_on = std::make_unique<strand>();
}

baton::~baton() = default;

bool baton::actor::can_go_on(clock::time_point now) {
  if (!waits || until <= now) return true;
  if (!wants.version) return wants.holds(wants.of);
  const std::uint64_t version = *wants.version;  // the look itself may change something
  if (seen == version) return false;
  const bool able = wants.holds(wants.of);
  if (!able) seen = version;  // who is able is so until it had its turn
  return able;
}

void baton::start(std::function<void()> body) {
  auto made = std::make_unique<actor>();
  made->runs_on =
      std::make_unique<strand>([this, &me = *made, own = std::move(body)]() mutable -> strand& {
        own();
        own = nullptr;  // what it holds goes while the turn is ours
        return end_of(me);
      });
  actors_.push_back(std::move(made));
  ++live_;
}

// Who runs next.
strand& baton::end_of(actor& me) {
  const auto it = std::ranges::find(actors_, &me, &std::unique_ptr<actor>::get);
  ended_ = std::move(*it);
  actors_.erase(it);
  --live_;
  current_ = &choose();
  return *current_->runs_on;
}

void baton::give_turn(actor& from, actor& to) {
  if (&from == &to) return;
  current_ = &to;
  strand::change(*from.runs_on, *to.runs_on);
}

waited baton::wait_for(need wants, clock::time_point until) {
  actor& me = *current_;
  me.wants = wants;
  me.until = until;
  me.waits = true;
  if (wants.version) me.seen = *wants.version - 1;  // what holds already is seen as well
  give_turn(me, choose());
  me.waits = false;
  if (wants.holds(wants.of)) return waited::holds;
  return &me == actors_.front().get() && std::exchange(stuck_, false) ? waited::stuck
                                                                      : waited::time_is_up;
}

// A program, or null; then `next` is when the first of them stops waiting by itself.
baton::actor* baton::who_can_go_on(clock::time_point& next) {
  able_.clear();
  next = never;
  for (std::size_t i = 1; i < actors_.size(); ++i) {
    actor& a = *actors_[i];
    if (a.can_go_on(time_.now())) able_.push_back(&a);
    else next = std::min(next, a.until);
  }
  if (able_.size() <= 1) return able_.empty() ? nullptr : able_.front();
  return able_[random_.below(able_.size())];
}

baton::actor& baton::choose() {
  actor& driver = *actors_.front();
  for (;;) {
    time_.run_due();
    if (driver.can_go_on(time_.now())) return driver;
    clock::time_point next = never;
    if (actor* const able = who_can_go_on(next)) return *able;
    next = std::min(next, time_.next());  // a look may have brought about something, too
    if (next == never && (live_ > 0 || driver.until == never)) {
      stuck_ = true;
      return driver;
    }
    time_.jump(std::min(next, driver.until));
  }
}

bool baton::step() {
  actor& driver = *actors_.front();
  clock::time_point next = never;
  if (time_.next() > time_.now()) {
    actor* able = who_can_go_on(next);
    next = std::min(next, time_.next());
    if (!able && next == never) return false;
    if (!able) {
      time_.jump(next);
      if (time_.next() > next) able = who_can_go_on(next);
    }
    if (able) {
      driver.wants = {[](void*) { return true; }, nullptr, nullptr};
      driver.until = never;
      driver.waits = true;
      give_turn(driver, *able);
      driver.waits = false;
      return true;
    }
  }
  time_.run_next();
  return true;
}

void baton::abandon() noexcept {
  abandoned_ = true;
  for (const auto& a : actors_) a->runs_on->abandon();
}

}  // namespace iolite::simulated
