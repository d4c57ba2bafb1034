// See baton.hpp.
#include "kernel/simulated/strands/baton.hpp"

#include <algorithm>
#include <utility>

namespace iolite::simulated {

baton::baton(timeline& time, random_source& random) : time_(time), random_(random) {
  actors_.push_back(std::make_unique<actor>());
  briefs_.emplace_back(clock::time_point::min());
  current_ = actors_.front().get();
}

baton::~baton() = default;

void baton::start(std::move_only_function<void()> body) {
  auto made =
      std::make_unique<actor>(actors_.size(), [this, own = std::move(body)]() mutable -> strand& {
        own();
        own = nullptr;  // what it holds goes while the turn is ours
        return end_of(*current_);
      });
  actors_.push_back(std::move(made));
  briefs_.emplace_back(clock::time_point::min());
  ++live_;
}

// Who runs next.
strand& baton::end_of(actor& me) {
  const auto at = static_cast<std::ptrdiff_t>(me.index);
  ended_ = std::move(actors_[me.index]);
  actors_.erase(actors_.begin() + at);
  briefs_.erase(briefs_.begin() + at);
  for (std::size_t i = me.index; i < actors_.size(); ++i) actors_[i]->index = i;
  --live_;
  current_ = &choose();
  return current_->runs_on;
}

void baton::give_turn(actor& from, actor& to) {
  if (&from == &to) return;
  current_ = &to;
  strand::change(from.runs_on, to.runs_on);
}

void baton::stands_still(const actor& a, need wants, clock::time_point until) {
  actors_[a.index]->wants = wants;
  // What holds already is seen as well.
  briefs_[a.index] = {until, wants.version, wants.version ? *wants.version - 1 : 0};
}

waited baton::wait_for(need wants, clock::time_point until) {
  actor& me = *current_;
  stands_still(me, wants, until);
  give_turn(me, choose());
  briefs_[me.index].until = clock::time_point::min();
  if (wants.holds(wants.of)) return waited::holds;
  return &me == &driver() && std::exchange(stuck_, false) ? waited::stuck : waited::time_is_up;
}

bool baton::can_go_on(std::size_t index) {
  brief& b = briefs_[index];
  if (b.until <= time_.now()) return true;
  const need& wants = actors_[index]->wants;
  if (!b.version) return wants.holds(wants.of);
  const std::uint64_t version = *b.version;  // the look itself may change something
  if (b.seen == version) return false;
  const bool able = wants.holds(wants.of);
  if (!able) b.seen = version;  // able until it has had its turn
  return able;
}

// A program, or null; then `next` is when the first of them stops waiting by itself.
baton::actor* baton::who_can_go_on(clock::time_point& next) {
  able_.clear();
  next = never;
  for (std::size_t i = 1; i < briefs_.size(); ++i) {
    const brief& b = briefs_[i];
    const bool asleep = b.version && *b.version == b.seen && b.until > time_.now();
    if (!asleep && can_go_on(i)) able_.push_back(i);
    else next = std::min(next, b.until);
  }
  if (able_.empty()) return nullptr;
  return actors_[able_[able_.size() == 1 ? 0 : random_.below(able_.size())]].get();
}

baton::actor& baton::choose() {
  for (;;) {
    time_.run_due();
    if (can_go_on(0)) return driver();
    clock::time_point next = never;
    if (actor* const able = who_can_go_on(next)) return *able;
    next = std::min(next, time_.next());  // a look may have brought about something, too
    const clock::time_point last = briefs_.front().until;
    if (next == never && (last == never || (watches_ && live_ > 0))) {
      stuck_ = true;
      return driver();
    }
    time_.jump(std::min(next, last));
  }
}

bool baton::step() {
  clock::time_point next = never;
  actor* able = nullptr;
  if (time_.next() > time_.now()) able = who_can_go_on(next);
  if (time_.next() > time_.now() && !able) {
    next = std::min(next, time_.next());
    if (next == never) return false;
    time_.jump(next);
    if (time_.next() > next) able = who_can_go_on(next);
  }
  if (!able) {
    time_.run_next();
    return true;
  }
  stands_still(driver(), {[](void*) { return true; }, nullptr, nullptr}, never);
  give_turn(driver(), *able);
  briefs_.front().until = clock::time_point::min();
  return true;
}

void baton::abandon() noexcept {
  abandoned_ = true;
  for (const auto& a : actors_) a->runs_on.abandon();
}

}  // namespace iolite::simulated
