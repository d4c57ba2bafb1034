// See watching.hpp.
#include "watching.hpp"

#include "iolite/selector.h"

#include "kernel/simulated/world/random.hpp"
#include "models/registry.hpp"

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <poll.h>
#include <sys/epoll.h>
#include <thread>
#include <unistd.h>

namespace iolite_test::differential {
namespace {

constexpr unsigned both = IOLITE_READ | IOLITE_WRITE;
constexpr std::int64_t patience_ns = 10'000'000'000;

// The one other thread, which does what it is given while the selector waits.
class helper {
 public:
  static helper& get() {
    static helper it;
    return it;
  }
  void begin(std::function<void()> job) {
    const std::lock_guard hold(lock_);
    job_ = std::move(job);
    changed_.notify_all();
  }
  void finish() {
    std::unique_lock hold(lock_);
    changed_.wait(hold, [this] { return !job_; });
  }

 private:
  helper() : thread_([this](const std::stop_token& stop) { run(stop); }) {}
  void run(const std::stop_token& stop) {
    std::unique_lock hold(lock_);
    while (changed_.wait(hold, stop, [this] { return static_cast<bool>(job_); })) {
      job_();
      job_ = nullptr;
      changed_.notify_all();
    }
  }
  std::mutex lock_;
  std::condition_variable_any changed_;
  std::function<void()> job_;
  std::jthread thread_;
};

using reports = std::map<int, unsigned>;

std::string in_words(const reports& r) {
  std::string out = "{";
  for (const auto& [fd, events] : r) {
    out += out.size() > 1 ? ", " : "";
    out += std::to_string(fd) + ":";
    out += (events & IOLITE_READ ? "r" : "");
    out += (events & IOLITE_WRITE ? "w" : "");
  }
  return out + "}";
}

class performance {
 public:
  performance(const watching_script& s, const std::string& facility) : script_(s) {
    if (const int r = iolite_selector_open(facility.c_str(), &it_); r < 0)
      difference_ = "open: " + std::string(std::strerror(-r));
    traits_ = iolite_selector_traits(it_);
    by_signals_ = facility == "signal";
    if (s.modes) raw_ = ::epoll_create1(EPOLL_CLOEXEC);
    for (const kind k : s.of) all_.push_back({k, make_subject(k), 0});
  }
  performance(const performance&) = delete;
  performance& operator=(const performance&) = delete;
  ~performance() {
    iolite_selector_close(it_);
    if (raw_ >= 0) ::close(raw_);
  }

  std::optional<std::string> play() {
    for (std::size_t i = 0; i < script_.steps.size() && !difference_; ++i) {
      make(script_.steps[i]);
      if (difference_) *difference_ += ", in step " + std::to_string(i);
    }
    return difference_;
  }

 private:
  struct one {
    kind k;
    std::unique_ptr<subject> it;
    unsigned asked;  // 0: not watched
    // Linux tells nobody that a terminal which was full has room again, since its line discipline
    // has moved on what was written: whether it is writable is not compared from then on, nor
    // whether a wait for it ends.
    bool silent_about_room = false;
  };

  static bool is_terminal(kind k) { return k == kind::terminal || k == kind::terminal_master; }

  void make(const step& s) {
    one& o = all_[s.which];
    const bool happens = s.what == deed::happen || s.what == deed::wake;
    if (happens && s.c == change::fill && is_terminal(o.k)) o.silent_about_room = true;
    switch (s.what) {
    case deed::add: add(o, s.events); break;
    case deed::modify: modify(o, s.events); break;
    case deed::remove: remove(o); break;
    case deed::happen: o.it->happen(s.c); break;
    case deed::wake:
      if (!script_.modes && !o.silent_about_room && ready_now().empty())
        return wait_meanwhile(o, s.c);
      o.it->happen(s.c);
      break;
    case deed::replace:
      remove(o);
      o.it.reset();
      o = {s.k, make_subject(s.k), 0};
      break;
    case deed::look: return check(static_cast<int>(s.events));
    }
    check(64);
    check(64);  // level-triggered: again
  }

  // What this facility says to a descriptor that it cannot take.
  [[nodiscard]] bool is_refused(kind k) const {
    const bool no_poll =
        k == kind::null_device || k == kind::zero_device || k == kind::file || k == kind::directory;
    return no_poll && (traits_ & IOLITE_HAS_FILES) == 0;
  }

  void add(one& o, unsigned events) {
    const int r = iolite_selector_add(it_, o.it->fd(), events, nullptr);
    const int expected = o.asked != 0 ? -EEXIST : is_refused(o.k) ? -EPERM : 0;
    if (r != expected) return differ("add", expected, r);
    if (r == 0) set(o, events, EPOLL_CTL_ADD);
  }
  void modify(one& o, unsigned events) {
    const int r = iolite_selector_modify(it_, o.it->fd(), events, nullptr);
    if (const int expected = o.asked != 0 ? 0 : -ENOENT; r != expected)
      return differ("modify", expected, r);
    if (r == 0) set(o, events, EPOLL_CTL_MOD);
  }
  void remove(one& o) {
    const int r = iolite_selector_remove(it_, o.it->fd());
    if (const int expected = o.asked != 0 ? 0 : -ENOENT; r != expected)
      return differ("remove", expected, r);
    if (r == 0) set(o, 0, EPOLL_CTL_DEL);
  }
  void set(one& o, unsigned events, int op) {
    o.asked = events;
    if (raw_ < 0) return;
    epoll_event e{};
    e.events = ((events & IOLITE_READ) ? EPOLLIN | EPOLLRDHUP : 0U) |
               ((events & IOLITE_WRITE) ? EPOLLOUT : 0U) | ((events & IOLITE_EDGE) ? EPOLLET : 0U) |
               ((events & IOLITE_ONESHOT) ? EPOLLONESHOT : 0U);
    e.data.fd = o.it->fd();
    if (::epoll_ctl(raw_, op, o.it->fd(), &e) < 0) differ("epoll_ctl", 0, -errno);
  }

  void differ(const char* what, int expected, int found) {
    difference_ =
        std::string(what) + " gives " + std::to_string(found) + ", not " + std::to_string(expected);
  }

  [[nodiscard]] reports ready_now() const {
    reports out;
    for (const one& o : all_) {
      if (o.asked == 0) continue;
      if (const state s = state_of(o.it->fd(), o.asked & both); s.ready) out[o.it->fd()] = s.ready;
    }
    return comparable(out);
  }

  [[nodiscard]] reports comparable(reports r) const {
    for (const one& o : all_) {
      const auto at = o.silent_about_room ? r.find(o.it->fd()) : r.end();
      if (at != r.end() && (at->second &= IOLITE_READ) == 0) r.erase(at);
    }
    return r;
  }

  [[nodiscard]] reports said_by_epoll() const {
    reports out;
    epoll_event found[64];
    const int n = ::epoll_wait(raw_, found, 64, 0);
    for (int i = 0; i < n; ++i) {
      const epoll_event& e = found[i];
      unsigned asked = 0;
      for (const one& o : all_) asked = o.it->fd() == e.data.fd ? o.asked & both : asked;
      unsigned ready = 0;
      if (e.events & (EPOLLIN | EPOLLRDHUP)) ready |= IOLITE_READ;
      if (e.events & EPOLLOUT) ready |= IOLITE_WRITE;
      if (e.events & (EPOLLHUP | EPOLLERR)) ready = asked;
      out[e.data.fd] = ready & asked;
    }
    return comparable(out);
  }

  reports wait(std::int64_t timeout_ns, int max) {
    iolite_ready found[64];
    const int n = iolite_selector_wait(it_, found, max, timeout_ns);
    if (n < 0) differ("wait", 0, n);
    reports out;
    for (int i = 0; i < n; ++i) {
      if (!out.emplace(found[i].fd, found[i].events).second) difference_ = "one is reported twice";
    }
    return comparable(out);
  }

  void check(int max) {
    if (script_.modes) return check_modes();
    for (const one& o : all_) max = o.silent_about_room ? 64 : max;  // they take room as well
    // What changes by itself, as a terminal does, may do so between the looks.
    for (int tries = 0; tries < 100 && !difference_; ++tries) {
      const reports before = ready_now();
      const reports got = wait(0, max);
      if (difference_ || before != ready_now()) continue;
      if (is_part(got, before, static_cast<std::size_t>(max))) return;
      difference_ = "reports " + in_words(got) + ", and poll(2) " + in_words(before);
    }
  }

  // As many of `whole` as there is room for.
  static bool is_part(const reports& part, const reports& whole, std::size_t room) {
    if (part.size() != std::min(room, whole.size())) return false;
    for (const auto& one : part) {
      const auto at = whole.find(one.first);
      if (at == whole.end() || at->second != one.second) return false;
    }
    return true;
  }

  void check_modes() {
    for (int tries = 0; tries < 100 && !difference_; ++tries) {
      const reports before = ready_now();
      const reports expected = said_by_epoll();
      const reports got = wait(0, 64);
      if (got == expected) return;
      if (before != ready_now()) continue;
      difference_ = "reports " + in_words(got) + ", and epoll(7) " + in_words(expected);
    }
  }

  // Nothing is ready. What happens ends the wait if it makes something ready; if not, a wake does.
  void wait_meanwhile(one& o, change c) {
    bool woken = false;
    helper::get().begin([&] {
      o.it->happen(c);
      woken = !becomes_ready(o);
      // A signal tells what others do to a descriptor, not what this process does: see fcntl(2).
      if (by_signals_ && (c == change::own_end || c == change::own_half_end)) woken = true;
      if (woken) iolite_selector_wake(it_);
    });
    const reports got = wait(patience_ns, 64);
    helper::get().finish();
    if (!difference_ && got.empty() && !woken)
      difference_ = "a wait was not ended, and poll(2) says " + in_words(ready_now());
    if (woken && !got.empty()) wait(0, 64);  // a wake is used up by one wait
    if (!difference_) check(64);
  }

  // Some take a moment: a terminal's line discipline, a timer.
  [[nodiscard]] bool becomes_ready(const one& o) const {
    const bool slow =
        is_terminal(o.k) || o.k == kind::timer || o.k == kind::tcp || o.k == kind::process;
    for (int tries = 0; tries < (slow ? 20 : 1); ++tries) {
      if (!ready_now().empty()) return true;
      if (slow) ::poll(nullptr, 0, 0), std::this_thread::yield();
    }
    return false;
  }

  const watching_script& script_;
  iolite_selector* it_ = nullptr;
  unsigned traits_ = 0;
  bool by_signals_ = false;
  int raw_ = -1;
  std::vector<one> all_;
  std::optional<std::string> difference_;
};

// How often of each kind: a process costs a fork, and to close inotify(7) takes a while.
kind some_kind(iolite::simulated::random_source& r) {
  for (;;) {
    const auto k = static_cast<kind>(r.below(kinds));
    const bool dear = k == kind::process || k == kind::inotify;
    if (!dear || r.below(20) == 0) return k;
  }
}

change some_change(iolite::simulated::random_source& r) {
  for (;;) {
    const auto c = static_cast<change>(r.below(changes));
    if (c != change::end_elsewhere || r.below(15) == 0) return c;
  }
}

step some_step(const watching_script& s, iolite::simulated::random_source& r) {
  constexpr deed often[] = {deed::add,    deed::add,     deed::modify, deed::remove, deed::happen,
                            deed::happen, deed::happen,  deed::happen, deed::wake,   deed::wake,
                            deed::wake,   deed::replace, deed::look};
  step out;
  out.what = often[r.below(std::size(often))];
  out.which = r.below(s.of.size());
  out.events = static_cast<unsigned>(1 + r.below(3));
  if (s.modes && out.what != deed::look) {
    if (r.below(2) == 0) out.events |= IOLITE_EDGE;
    if (r.below(3) == 0) out.events |= IOLITE_ONESHOT;
  }
  out.c = some_change(r);
  out.k = some_kind(r);
  return out;
}

}  // namespace

std::string watching_script::to_string() const {
  constexpr std::string_view names[] = {"add",  "modify",  "remove", "happen",
                                        "wake", "replace", "look"};
  std::string out = "seed " + std::to_string(seed) + (modes ? ", edge and oneshot" : "") + "\n";
  for (std::size_t i = 0; i < of.size(); ++i)
    out += "  " + std::to_string(i) + " is a " + std::string(name_of(of[i])) + "\n";
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const step& s = steps[i];
    out += "  step " + std::to_string(i) + ": " +
           std::string(names[static_cast<std::size_t>(s.what)]) + " " + std::to_string(s.which);
    if (s.what == deed::add || s.what == deed::modify || s.what == deed::look)
      out += " " + std::to_string(s.events);
    if (s.what == deed::happen || s.what == deed::wake) out += " " + std::string(name_of(s.c));
    if (s.what == deed::replace) out += " by a " + std::string(name_of(s.k));
    out += "\n";
  }
  return out;
}

watching_script make_watching_script(std::uint64_t seed) {
  iolite::simulated::random_source r(seed);
  watching_script s;
  s.seed = seed;
  s.modes = r.below(8) == 0;
  for (std::size_t n = 1 + r.below(3); n > 0; --n) s.of.push_back(some_kind(r));
  for (std::size_t i = 0; i < s.of.size(); ++i) {
    s.steps.push_back({deed::add, i, static_cast<unsigned>(1 + r.below(3))});
  }
  for (std::size_t n = 4 + r.below(10); n > 0; --n) s.steps.push_back(some_step(s, r));
  return s;
}

std::vector<std::string> watching_facilities() {
  std::vector<std::string> out;
  for (const auto& entry : iolite::all_pollers()) {
    if (entry.make) out.emplace_back(entry.name);
  }
  return out;
}

std::optional<std::string> play(const watching_script& s, const std::string& facility) {
  performance p(s, facility);
  return p.play();
}

}  // namespace iolite_test::differential
