// Signal-driven I/O: fcntl(2) F_SETOWN_EX, F_SETSIG and O_ASYNC; sigtimedwait(2).
//
// The idea: the real-time signals queued for this thread say which descriptors changed, and how
// (si_band). That was so when they were sent: their owner tries. Where signals may be missing (the
// queue overflowed and SIGIO came instead, another poller of this thread took them, the thread has
// changed) all are looked at with poll(2).
//
// - What signals are worth differs by kind of file: see `sender`. Files that do not send one for
//   each change are looked at in each wait, and every 20 ms while it lasts. A look takes the queued
//   signals too: a file that stays ready must not keep the others waiting.
// - Asked for states (poller_options::states), each wait looks at all, and sleeps until a signal
//   says that something has changed. Before it looks it takes what is queued; what is sent later
//   ends the sleep.
// - Signals go to one thread and wait there, blocked, from its first wait() until the poller goes.
//   Two threads cannot watch one open file description: it has one owner.
#include "pollers/poller.hpp"

#include "pollers/signal_thread.hpp"
#include "pollers/watch_list.hpp"

#include <algorithm>
#include <utility>

namespace iolite {
namespace {

class signal_poller final : public poller {
 public:
  signal_poller(kernel& os, int number, bool states) noexcept
      : os_(os), pid_(os.getpid()), signals_{number, SIGIO}, states_(states) {
    sigemptyset(&set_);
    for (const int s : signals_) sigaddset(&set_, s);
  }
  // So that the first threads that wait need no memory.
  [[nodiscard]] bool prepare() noexcept { return make_room(entered_, 4); }
  ~signal_poller() override {
    if (os_.getpid() != pid_) return;  // a child: O_ASYNC is on files it shares with its parent
    for (const pollfd& p : watched_.fds()) disarm(os_, p.fd);
    ++this_signal_thread().disarmed;
    if (std::ranges::find(entered_, this_signal_thread().id) != entered_.end()) {
      unblock_signals(os_, signals_);
    }
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "signal"; }
  [[nodiscard]] poller_traits traits() const noexcept override {
    return {.files = true, .edge_only = !states_, .signals = true};
  }
  int update(watch_token t, interest before, interest after) noexcept override;
  int wait(clock::duration timeout) noexcept override;

 private:
  static constexpr auto slice = std::chrono::milliseconds(20);
  static constexpr std::size_t batch_max = 256;

  int sleep(clock::duration timeout) noexcept;
  [[nodiscard]] bool needs_slices() noexcept;
  int take_over() noexcept;
  int listen(int fd) noexcept;
  void forget(int fd) noexcept;
  bool make_place(int fd) noexcept;
  int take_signals(const timespec* first) noexcept;
  void take(const siginfo_t& info) noexcept;
  int look(std::span<pollfd> at) noexcept;
  int look_where_needed() noexcept;
  [[nodiscard]] bool must_look() const noexcept;
  [[nodiscard]] sender& kind(int fd) noexcept { return kinds_[static_cast<std::size_t>(fd)]; }

  kernel& os_;
  const int pid_;
  const std::array<int, 2> signals_;
  const bool states_;
  sigset_t set_{};  // signals_, as the calls want them
  std::uint64_t owner_ = 0;  // the thread the signals go to
  std::vector<std::uint64_t> entered_;  // threads that block the signals for us
  std::uint64_t taken_ = 0, disarmed_ = 0;  // the thread's counts when we last looked
  bool shared_ = false;  // watched numbers that are one open file: signals name one of them
  bool look_at_all_ = false;
  watch_list watched_;
  std::vector<sender> kinds_;  // by descriptor
  std::vector<int> unreliable_;  // descriptors whose signals are not enough
  std::vector<pollfd> look_;  // the same, for poll(2)
};

int signal_poller::update(watch_token t, interest before, interest after) noexcept {
  const bool adds = before == interest::none;
  const bool listens = adds && owner_ != 0 && owner_ == this_signal_thread().id;
  if (adds && !listens) {
    if (const int r = check_open(os_, t.fd); r < 0) return r;
  }
  if (t.fd < 0) return -EBADF;
  if (!make_room(events_, watched_.size() + 1 + batch_max) || !make_place(t.fd)) return -ENOMEM;
  if (const int r = update_with_room(watched_, t, before, after, look_, unreliable_); r < 0) {
    return r;
  }
  if (after == interest::none) forget(t.fd);
  const int r = listens ? listen(t.fd) : 0;
  if (r < 0) {
    disarm(os_, t.fd);
    static_cast<void>(watched_.update(t, after, interest::none));
  }
  return r;
}

int signal_poller::wait(clock::duration timeout) noexcept {
  constexpr timespec at_once{};
  events_.clear();
  signal_thread& here = this_signal_thread();
  if (owner_ != here.id || disarmed_ != here.disarmed) {
    if (const int r = take_over(); r < 0) return r;
  }
  if (must_look()) {
    look_at_all_ = look_at_all_ || states_ || taken_ != here.taken;
    take_signals(&at_once);
    if (const int r = look_where_needed(); r < 0) return r;
    if (!events_.empty()) return static_cast<int>(events_.size());
    if (timeout <= clock::duration::zero()) return 0;
  }
  return sleep(timeout);
}

// Until a signal brings something.
int signal_poller::sleep(clock::duration timeout) noexcept {
  const bool ends = timeout != for_ever;
  const clock::time_point until = ends ? deadline_after(os_.now(), timeout) : never;
  for (clock::duration left = timeout;;) {
    const bool in_slices = left > slice && needs_slices();
    const timespec t = to_timespec(in_slices ? slice : left);
    const int r = take_signals(ends || in_slices ? &t : nullptr);
    if (r < 0 && r != -EAGAIN) return r;
    if (r == -EAGAIN && !in_slices) return 0;
    look_at_all_ = look_at_all_ || states_ || (shared_ && r == 0);
    if (look_at_all_ || in_slices) {
      if (const int n = look_where_needed(); n < 0) return n;
    }
    if (!events_.empty()) return static_cast<int>(events_.size());
    if (ends) left = std::max(until - os_.now(), clock::duration::zero());
  }
}

// An unreliable file may change without a signal. So may a socket of unix(7) that gets room: it
// sends one only after a send has failed, and who wants states may not have tried.
bool signal_poller::needs_slices() noexcept {
  const auto writes = [](const pollfd& p) { return (p.events & POLLOUT) != 0; };
  return !unreliable_.empty() || (states_ && std::ranges::any_of(watched_.fds(), writes));
}

bool signal_poller::must_look() const noexcept {
  return states_ || look_at_all_ || !unreliable_.empty() || taken_ != this_signal_thread().taken;
}

// Waits for the first one as `first` says, and takes all that are queued. 0 or -errno; -EAGAIN:
// there was none.
int signal_poller::take_signals(const timespec* first) noexcept {
  constexpr timespec at_once{};
  siginfo_t info{};
  int n = os_.sigtimedwait(&set_, &info, first);
  if (n < 0) return n;
  for (std::size_t i = 1; n > 0; ++i) {
    take(info);
    n = i < batch_max ? os_.sigtimedwait(&set_, &info, &at_once) : 0;
  }
  taken_ = this_signal_thread().taken;
  return 0;
}

// SIGIO: the queue overflowed (RLIMIT_SIGPENDING). A code <= 0: sent by a program, not by a file.
void signal_poller::take(const siginfo_t& info) noexcept {
  ++this_signal_thread().taken;
  if (states_) return;
  if (info.si_signo == SIGIO || info.si_code <= 0) {
    look_at_all_ = true;
    return;
  }
  const std::size_t at = watched_.find(info.si_fd);
  if (at == watch_list::nowhere) return;  // removed since, or another poller's: it sees our count
  const auto asked = static_cast<unsigned>(watched_[at].events) | POLLERR | POLLHUP | POLLPRI;
  unsigned bits = static_cast<unsigned>(info.si_band) & asked;
  if (kind(info.si_fd) != sender::precise) bits = asked & (POLLIN | POLLOUT);  // either may be true
  const poll_event e = from_poll(watched_.token(at), bits);
  if (e.ready != interest::none || e.hang_up) events_.push_back(e);
}

// 0 or -errno.
int signal_poller::look_where_needed() noexcept {
  if (std::exchange(look_at_all_, false)) {
    taken_ = this_signal_thread().taken;
    events_.clear();
    return look(watched_.fds());
  }
  look_.clear();
  for (const int fd : unreliable_) look_.push_back({fd, watched_[watched_.find(fd)].events, 0});
  return look(look_);
}

// Those that are ready among `at` become events. 0 or -errno.
int signal_poller::look(std::span<pollfd> at) noexcept {
  if (at.empty()) return 0;
  const int n = os_.poll(at.data(), at.size(), 0);
  if (n < 0) {
    look_at_all_ = true;  // the signals that told us are gone
    return n;
  }
  for (const pollfd& p : at) {
    if (p.fd < 0 || p.revents == 0) continue;
    const std::size_t i = watched_.find(p.fd);
    if (p.revents & POLLNVAL) {
      std::erase(unreliable_, p.fd);
      watched_.silence(i);
    } else {
      events_.push_back(from_poll(watched_.token(i), static_cast<unsigned>(p.revents)));
    }
  }
  return 0;
}

// This thread waits: the signals come to it from now on. What changed before is found by a look.
int signal_poller::take_over() noexcept {
  signal_thread& here = this_signal_thread();
  if (std::ranges::find(entered_, here.id) == entered_.end()) {
    if (!make_room(entered_, entered_.size() + 1)) return -ENOMEM;
    if (const int r = block_signals(os_, signals_); r < 0) return r;
    entered_.push_back(here.id);
  }
  owner_ = here.id;
  disarmed_ = here.disarmed;
  shared_ = false;
  look_at_all_ = true;
  unreliable_.clear();
  for (const pollfd& p : watched_.fds()) disarm(os_, p.fd);
  for (std::size_t i = 0; i < watched_.size(); ++i) {
    if (watched_.silent(i)) continue;
    const int fd = watched_[i].fd;
    const int r = listen(fd);
    if (r == -EBADF) watched_.silence(i);
    else if (r < 0) {  // out of memory: it sends no signals until the next wait has tried again
      kind(fd) = sender::unreliable;
      unreliable_.push_back(fd);
      --disarmed_;
    }
  }
  ++here.taken;  // another poller may share a file that was just without its signal
  return 0;
}

int signal_poller::listen(int fd) noexcept {
  const armed a = arm(os_, fd, signals_[0]);
  if (a.error < 0) return a.error;
  kind(fd) = a.kind;
  if (a.kind == sender::unreliable) unreliable_.push_back(fd);
  shared_ = shared_ || a.twice;
  return 0;
}

void signal_poller::forget(int fd) noexcept {
  std::erase(unreliable_, fd);
  disarm(os_, fd);
  // A second number of the same file, here or in another poller of this thread, lost it too.
  const auto earlier = this_signal_thread().disarmed++;
  if (!shared_ && disarmed_ == earlier) ++disarmed_;
}

bool signal_poller::make_place(int fd) noexcept try {
  const auto number = static_cast<std::size_t>(fd);
  if (number >= kinds_.size()) kinds_.resize(number + 1 + number / 2, sender::unreliable);
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

}  // namespace

made_poller make_signal(kernel& os, const poller_options& options) {
  const int number = options.signal_number == 0 ? SIGRTMIN + 4 : options.signal_number;
  if (number < SIGRTMIN || number > SIGRTMAX) return {nullptr, -EINVAL};
  std::unique_ptr<signal_poller> p(new (std::nothrow) signal_poller(os, number, options.states));
  if (!p || !p->prepare()) return {nullptr, -ENOMEM};
  return {std::move(p), 0};
}

}  // namespace iolite
// tidy: allow file-length, signals may be lost in five ways, and each needs its look
