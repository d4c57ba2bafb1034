// See phases.hpp.
#include "trace/phases.hpp"

#include <algorithm>
#include <span>

namespace iolite::trace {
namespace {

using kind = switch_event::kind;
using point = clock::time_point;

// Those that report which descriptors are ready.
bool reports_readiness(call c) noexcept {
  return c == call::select || c == call::poll || c == call::epoll_wait || c == call::kevent ||
         c == call::sigtimedwait;
}

bool receives(const call_event& c, int fd) noexcept {
  const bool kind_of_receive = c.what == call::recv || c.what == call::recvfrom ||
                               c.what == call::recvmsg || c.what == call::read;
  return kind_of_receive && c.fd == fd && c.result > 0;
}

std::uint64_t entering(std::span<const call_event> calls) noexcept {
  const auto n =
      std::ranges::count_if(calls, [](const call_event& c) { return enters_kernel(c.what); });
  return static_cast<std::uint64_t>(n);
}

class reader {
 public:
  explicit reader(const recording& r) noexcept : r_(r), t1_(arrival()) {}

  std::optional<exchange> read() {
    if (!find_copy()) return std::nullopt;
    find_report();
    exchange x{};
    x.waited = t1_ - r_.started;
    x.uncertainty = std::max(r_.sent_after - t1_, clock::duration::zero());
    if (find(kind::data_ready, r_.sent_before)) x.uncertainty = clock::duration::zero();
    x.copied_by = copied_by_;
    tell_sleep(x);
    x.one_call = copied_by_ == copier::kernel || (!told_ && waits_inside(*first_, x));
    tell_times(x);
    tell_exact_times(x);
    tell_costs(x);
    tell_pictures(x);
    return x;
  }

 private:
  using place = std::vector<call_event>::const_iterator;

  [[nodiscard]] clock::duration since(point t) const noexcept { return t - t1_; }

  // The first event of that kind from `begin` on, of others than the peer where it is about a copy.
  [[nodiscard]] const switch_event* find(kind k, point begin) const noexcept {
    const auto it = std::ranges::find_if(r_.switches, [&](const switch_event& e) {
      return e.what == k && e.when >= begin && (k == kind::data_ready || e.thread != r_.peer);
    });
    return it == r_.switches.end() ? nullptr : &*it;
  }

  [[nodiscard]] point arrival() const noexcept {
    if (const auto* exact = find(kind::data_ready, r_.sent_before)) return exact->when;
    return r_.stamp.value_or(r_.sent_before);
  }

  // The calls from the first to the last that had to do with the copy.
  bool find_copy() {
    const auto& calls = r_.calls;
    const auto range = [&](auto belongs, copier who) {
      first_ = std::ranges::find_if(calls, belongs);
      if (first_ == calls.end()) return false;
      last_ = std::prev(std::find_if(calls.rbegin(), calls.rend(), belongs).base());
      copied_by_ = who;
      return true;
    };
    if (range([&](const call_event& c) { return receives(c, r_.fd); }, copier::self)) return true;
    if (range([&](const call_event& c) { return c.what == call::aio_read && c.fd == r_.fd; },
              copier::helper)) {
      const auto waits = [](const call_event& c) { return c.what == call::aio_suspend; };
      const auto end = std::find_if(calls.rbegin(), std::make_reverse_iterator(last_), waits);
      if (end.base() != last_) last_ = std::prev(end.base());
      return true;
    }
    return range(
        [&](const call_event& c) { return c.what == call::io_uring_enter && c.end >= t1_; },
        copier::kernel);
  }

  void find_report() {
    if (copied_by_ == copier::kernel) return;
    const auto before = std::make_reverse_iterator(first_);
    const auto it = std::find_if(before, r_.calls.rend(), [](const call_event& c) {
      return reports_readiness(c.what) && c.result > 0;
    });
    if (it != r_.calls.rend()) told_ = &*it;
  }

  // The call that phase 1 ends in.
  [[nodiscard]] const call_event& waiting_call() const noexcept { return told_ ? *told_ : *first_; }

  [[nodiscard]] bool sleeps_in(const call_event& c) const noexcept {
    return std::ranges::any_of(r_.switches, [&](const switch_event& e) {
      return e.thread == r_.thread && e.what == kind::slept && e.when >= c.begin && e.when <= c.end;
    });
  }

  // It was under way when the data came, and slept as far as anybody knows.
  [[nodiscard]] bool waits_inside(const call_event& c, const exchange& x) const noexcept {
    if (r_.sees_switches) return sleeps_in(c);
    return c.begin < t1_ && (x.slept || !r_.seen_asleep);
  }

  void tell_sleep(exchange& x) const {
    clock::duration longest = clock::duration::zero();
    std::optional<point> asleep_at;
    if (!r_.sees_switches && r_.seen_asleep.value_or(false)) asleep_at = r_.looked_at;
    each_rest(r_.thread, [&](point from, point to, bool preempted) {
      if (preempted || from >= t1_ || to - from <= longest) return;
      longest = to - from;
      asleep_at = from;
    });
    if (!asleep_at) return;
    x.slept = true;
    const auto in = std::ranges::find_if(r_.calls, [&](const call_event& c) {
      return c.begin <= *asleep_at && *asleep_at <= c.end;
    });
    if (in != r_.calls.end()) x.asleep_in = name_of(in->what);
  }

  // When the thread was on its processor again for the last time in `c`.
  [[nodiscard]] std::optional<point> woken_in(const call_event& c) const noexcept {
    std::optional<point> out;
    each_rest(r_.thread, [&](point, point to, bool preempted) {
      if (!preempted && to >= c.begin && to <= c.end) out = to;
    });
    return out;
  }

  void tell_times(exchange& x) const {
    const auto woke = woken_in(waiting_call());
    if (woke) x.woke = since(*woke);
    x.t2 = since(waiting_call().end);
    x.t4 = since(last_->end);
    if (copied_by_ == copier::helper) return tell_helper(x);
    if (!told_ && woke) x.t3 = since(*woke);
    else if (told_ || r_.sees_switches || first_->begin >= t1_ || !x.one_call)
      x.t3 = since(first_->begin);
  }

  void tell_helper(exchange& x) const {
    const auto woke = std::ranges::find_if(r_.switches, [&](const switch_event& e) {
      return e.what == kind::woke && is_helper(e.thread) && e.when >= first_->begin;
    });
    if (woke == r_.switches.end()) return;
    x.helper_woke = x.t3 = since(woke->when);
    const auto done = std::find_if(woke, r_.switches.end(), [&](const switch_event& e) {
      return e.thread == woke->thread && e.what == kind::slept;
    });
    if (done != r_.switches.end()) x.helper_done = since(done->when);
  }

  void tell_exact_times(exchange& x) const {
    const auto* const begins = find(kind::copy_begins, t1_);
    if (begins) x.t3 = since(begins->when);
    const switch_event* ends = nullptr;
    for (const switch_event& e : r_.switches)
      if (e.what == kind::copied && begins && e.thread != r_.peer && e.when >= begins->when)
        ends = &e;
    if (ends && ends->when <= last_->end) x.t4 = since(ends->when);
    if (x.one_call) x.t2 = x.t4;
  }

  void tell_costs(exchange& x) const {
    const place end_of_phase1 = told_        ? r_.calls.begin() + (told_ - r_.calls.data()) + 1
                                : x.one_call ? first_ + 1
                                             : first_;
    x.calls_phase2 = entering({end_of_phase1, r_.calls.end()});
    x.calls_phase1 = r_.calls_made - std::min(r_.calls_made, x.calls_phase2);
    const auto whole = r_.cpu_completed - r_.cpu_started;
    const auto& cpu = waiting_call().cpu;
    if (cpu) x.cpu_phase1 = *cpu - r_.cpu_started;
    else x.cpu_phase1 = x.one_call ? whole : whole - (last_->end - first_->begin);
    x.cpu_phase1 = std::max(x.cpu_phase1, clock::duration::zero());
  }

  void tell_pictures(exchange& x) const {
    constexpr std::ptrdiff_t most = 64;
    const auto begin = r_.calls.end() - std::min<std::ptrdiff_t>(most, std::ssize(r_.calls));
    for (auto it = begin; it != r_.calls.end(); ++it)
      x.calls.push_back({name_of(it->what), since(it->begin), since(it->end), it->result});
    each_rest(r_.thread, [&](point from, point to, bool preempted) {
      x.rests.push_back({rest::whose::own, preempted, since(from), since(to)});
    });
    if (x.helper_woke && x.helper_done)
      x.rests.push_back({rest::whose::helper, false, clock::duration::zero(), *x.helper_woke});
  }

  [[nodiscard]] bool is_helper(int thread) const noexcept {
    return thread != r_.thread && thread != r_.peer;
  }

  // From each time the thread was taken from its processor to when it was back.
  template <class F>
  void each_rest(int thread, F f) const {
    const switch_event* gone = nullptr;
    for (const switch_event& e : r_.switches) {
      if (e.thread != thread || e.when < r_.started || e.when > r_.completed) continue;
      if (e.what == kind::slept || e.what == kind::preempted) {
        gone = &e;
      } else if (e.what == kind::woke && gone) {
        f(gone->when, e.when, gone->what == kind::preempted);
        gone = nullptr;
      }
    }
  }

  const recording& r_;
  const point t1_;
  copier copied_by_ = copier::self;
  place first_, last_;
  const call_event* told_ = nullptr;
};

}  // namespace

std::optional<exchange> phases_of(const recording& r) { return reader(r).read(); }

}  // namespace iolite::trace
