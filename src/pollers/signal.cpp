// Signal-driven I/O: fcntl(2) F_SETOWN_EX, F_SETSIG and O_ASYNC; sigtimedwait(2).
//
// The idea: the real-time signals queued for this thread say which descriptors changed, poll(2) on
// those few says what they are. Where signals may be missing (the queue overflowed and SIGIO came
// instead, another poller of this thread took them, the thread has changed) all are looked at.
//
// Signals go to one thread and wait there, blocked, from its first wait() until the poller goes.
// Descriptors that send none (eventfd(2), timerfd_create(2)) are looked at every 20 ms. Two threads
// cannot watch one open file description: it has one owner.
#include "pollers/poller.hpp"

#include "pollers/watch_list.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <fcntl.h>
#include <pthread.h>
#include <utility>

namespace iolite {
namespace {

// What pollers of one thread share.
struct signal_thread {
  std::uint64_t id = 0;  // never used again, unlike addresses and tids
  std::uint64_t taken = 0;  // signals taken from the queue, by whichever poller
  std::uint64_t disarmed = 0;  // O_ASYNC taken away, perhaps from under another poller
  std::array<std::uint16_t, NSIG> pollers{};  // that need this signal blocked
  std::array<bool, NSIG> ours{};  // it was not blocked before them
};
thread_local constinit signal_thread here;

// In a child of fork(2) no signal is pending, and the mask is the program's again.
void restore_mask_in_child() noexcept {
  sigset_t set;
  sigemptyset(&set);
  for (int s = 1; s < NSIG; ++s) {
    if (here.ours[static_cast<std::size_t>(s)]) sigaddset(&set, s);
  }
  kernel::real().sigprocmask(SIG_UNBLOCK, &set, nullptr);
  here = {};
}

std::uint64_t this_thread() noexcept {
  static std::atomic<std::uint64_t> last = 0;
  [[maybe_unused]] static const int at_fork =
      ::pthread_atfork(nullptr, nullptr, restore_mask_in_child);
  if (here.id == 0) here.id = ++last;
  return here.id;
}

class signal_poller final : public poller {
 public:
  signal_poller(kernel& os, int number) noexcept
      : os_(os), pid_(os.getpid()), signals_{number, SIGIO} {
    sigemptyset(&set_);
    for (const int s : signals_) sigaddset(&set_, s);
  }
  ~signal_poller() override {
    if (os_.getpid() != pid_) return;  // a child: O_ASYNC is on files it shares with its parent
    for (const pollfd& p : watched_.fds()) disarm(p.fd);
    ++here.disarmed;
    leave();
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "signal"; }
  [[nodiscard]] poller_traits traits() const noexcept override {
    return {.files = true, .edge_only = true};
  }

  int update(watch_token t, interest before, interest after) noexcept override {
    if (before == interest::none) {
      if (const int r = check_open(os_, t.fd); r < 0) return r;
    }
    if (const int r = watched_.update(t, before, after); r < 0) return r;
    if (after == interest::none) {
      std::erase(deaf_, t.fd);
      disarm(t.fd);
      // A second number of the same file, here or in another poller of this thread, lost it too.
      if (!shared_ && disarmed_ == here.disarmed) ++disarmed_;
      ++here.disarmed;
    } else if (before == interest::none && owner_ != 0 && owner_ == this_thread()) {
      if (const int r = arm(t.fd); r < 0) {
        disarm(t.fd);
        static_cast<void>(watched_.update(t, after, interest::none));
        return r;
      }
    }
    return 0;
  }

  int wait(clock::duration timeout) noexcept override;
  [[nodiscard]] std::span<const poll_event> events() const noexcept override { return events_; }

 private:
  static constexpr auto slice = std::chrono::milliseconds(20);
  static constexpr std::size_t batch_max = 256;

  int take_over() noexcept;
  int arm(int fd) noexcept;
  void disarm(int fd) noexcept;
  int enter() noexcept;
  void leave() noexcept;
  void take(const siginfo_t& info) noexcept;
  int look(std::span<pollfd> at) noexcept;

  kernel& os_;
  const int pid_;
  const std::array<int, 2> signals_;
  sigset_t set_{};  // signals_, as the calls want them
  std::uint64_t owner_ = 0;  // the thread the signals go to
  std::vector<std::uint64_t> entered_;  // threads that block the signals for us
  std::uint64_t taken_ = 0, disarmed_ = 0;  // the thread's counts when we last looked
  bool shared_ = false;  // watched numbers that are one open file: signals name one of them
  bool look_at_all_ = false;
  watch_list watched_;
  std::vector<int> deaf_;  // send no signals
  std::vector<pollfd> look_;  // changed, and so to be looked at
  std::vector<poll_event> events_;
};

int signal_poller::wait(clock::duration timeout) noexcept {
  events_.clear();
  look_.clear();
  if (!make_room(events_, watched_.size()) || !make_room(look_, deaf_.size() + batch_max))
    return -ENOMEM;
  if (owner_ != this_thread() || disarmed_ != here.disarmed) {
    if (const int r = take_over(); r < 0) return r;
  }
  if (look_at_all_ || taken_ != here.taken) {
    look_at_all_ = false;
    taken_ = here.taken;
    if (const int r = look(watched_.fds()); r != 0) return r;
  }
  for (const int fd : deaf_) look_.push_back({fd, watched_[watched_.find(fd)].events, 0});
  if (const int r = look(look_); r != 0) return r;
  look_.clear();

  const bool sliced = !deaf_.empty() && timeout > slice;
  timespec t = to_timespec(sliced ? slice : timeout);
  siginfo_t info{};
  int n = os_.sigtimedwait(&set_, &info, timeout == for_ever && !sliced ? nullptr : &t);
  if (n < 0) return n != -EAGAIN ? n : sliced ? -EINTR : 0;
  t = {};
  for (std::size_t i = 0; n > 0 && i < batch_max; ++i) {
    take(info);
    n = i + 1 < batch_max ? os_.sigtimedwait(&set_, &info, &t) : 0;
  }
  taken_ = here.taken;
  const bool all = std::exchange(look_at_all_, false) || shared_;
  const int r = look(all ? watched_.fds() : std::span(look_));
  return r == 0 ? -EINTR : r;
}

// SIGIO: the queue overflowed (RLIMIT_SIGPENDING). A code <= 0: sent by a program, not by a file.
void signal_poller::take(const siginfo_t& info) noexcept {
  ++here.taken;
  if (info.si_signo == SIGIO || info.si_code <= 0) {
    look_at_all_ = true;
    return;
  }
  const std::size_t at = watched_.find(info.si_fd);
  if (at == watch_list::nowhere) return;  // removed since, or another poller's: it sees our count
  const pollfd p{info.si_fd, watched_[at].events, 0};
  if (std::ranges::find(look_, p.fd, &pollfd::fd) == look_.end()) look_.push_back(p);
}

// What is ready among `at` becomes events_: their count or -errno.
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
      std::erase(deaf_, p.fd);
      watched_.silence(i);
    } else {
      events_.push_back(from_poll(watched_.token(i), static_cast<unsigned>(p.revents)));
    }
  }
  return static_cast<int>(events_.size());
}

// This thread waits: the signals come to it from now on. What changed before is found by a look.
int signal_poller::take_over() noexcept {
  if (const int r = enter(); r < 0) return r;
  owner_ = here.id;
  shared_ = false;
  look_at_all_ = true;
  deaf_.clear();
  for (const pollfd& p : watched_.fds()) disarm(p.fd);
  for (std::size_t i = 0; i < watched_.size(); ++i) {
    if (watched_.silent(i)) continue;
    const int r = arm(watched_[i].fd);
    if (r == -EBADF) watched_.silence(i);
    else if (r < 0) return owner_ = 0, r;
  }
  disarmed_ = here.disarmed;
  ++here.taken;  // another poller may share a file that was just without its signal
  return 0;
}

int signal_poller::arm(int fd) noexcept {
  f_owner_ex owner{F_OWNER_TID, os_.gettid()};
  const int flags = os_.fcntl(fd, F_GETFL);
  if (flags < 0) return flags;
  shared_ = shared_ || flags & O_ASYNC;  // set already, for another number of this file
  if (const int r = os_.fcntl(fd, F_SETOWN_EX, reinterpret_cast<long>(&owner)); r < 0) return r;
  if (const int r = os_.fcntl(fd, F_SETSIG, signals_[0]); r < 0) return r;
  if (const int r = os_.fcntl(fd, F_SETFL, flags | O_ASYNC); r < 0) return r;
  // A file without signals ignores O_ASYNC: fcntl(2).
  if (os_.fcntl(fd, F_GETFL) & O_ASYNC) return 0;
  if (!make_room(deaf_, watched_.size())) return -ENOMEM;
  deaf_.push_back(fd);
  return 0;
}

void signal_poller::disarm(int fd) noexcept {
  const int flags = fd < 0 ? fd : os_.fcntl(fd, F_GETFL);
  if (flags >= 0 && flags & O_ASYNC) os_.fcntl(fd, F_SETFL, flags & ~O_ASYNC);
}

int signal_poller::enter() noexcept {
  if (std::ranges::find(entered_, here.id) != entered_.end()) return 0;
  if (!make_room(entered_, entered_.size() + 1)) return -ENOMEM;
  sigset_t old;
  if (const int r = os_.sigprocmask(SIG_BLOCK, &set_, &old); r < 0) return r;
  for (const int s : signals_) {
    const auto i = static_cast<std::size_t>(s);
    if (here.pollers[i]++ == 0) here.ours[i] = sigismember(&old, s) == 0;
  }
  entered_.push_back(here.id);
  return 0;
}

// The last poller that needs a signal blocked here unblocks it, and drops what is still queued: the
// default action of each of them ends the program.
void signal_poller::leave() noexcept {
  if (std::ranges::find(entered_, this_thread()) == entered_.end()) return;
  sigset_t set, left = set_;
  sigemptyset(&set);
  for (const int s : signals_) {
    const auto i = static_cast<std::size_t>(s);
    if (--here.pollers[i] > 0) sigdelset(&left, s);
    else if (std::exchange(here.ours[i], false)) sigaddset(&set, s);
  }
  constexpr timespec at_once{};
  siginfo_t info{};
  while (os_.sigtimedwait(&left, &info, &at_once) > 0) {
  }
  os_.sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace

made_poller make_signal(kernel& os, const poller_options& options) {
  const int number = options.signal_number == 0 ? SIGRTMIN + 4 : options.signal_number;
  if (number < SIGRTMIN || number > SIGRTMAX) return {nullptr, -EINVAL};
  auto* p = new (std::nothrow) signal_poller(os, number);
  return {std::unique_ptr<poller>(p), p ? 0 : -ENOMEM};
}

}  // namespace iolite
