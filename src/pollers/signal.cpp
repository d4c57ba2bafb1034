// Signal-driven I/O: fcntl(2) F_SETOWN_EX, F_SETSIG and O_ASYNC; sigtimedwait(2).
//
// The idea: the real-time signals queued for this thread say which descriptors changed, and how
// (si_band). That was so when they were sent: their owner tries. Where signals may be missing (the
// queue overflowed and SIGIO came instead, another poller of this thread took them, the thread has
// changed) all are looked at with poll(2).
//
// Signals go to one thread and wait there, blocked, from its first wait() until the poller goes.
// Descriptors that send none (eventfd(2), timerfd_create(2)) are looked at every 20 ms. Two threads
// cannot watch one open file description: it has one owner.
#include "pollers/poller.hpp"

#include "pollers/signal_thread.hpp"
#include "pollers/watch_list.hpp"

#include <algorithm>
#include <utility>

namespace iolite {
namespace {

class signal_poller final : public poller {
 public:
  signal_poller(kernel& os, int number) noexcept
      : os_(os), pid_(os.getpid()), signals_{number, SIGIO} {
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
    return {.files = true, .edge_only = true};
  }

  int update(watch_token t, interest before, interest after) noexcept override {
    if (before == interest::none) {
      if (const int r = check_open(os_, t.fd); r < 0) return r;
    }
    if (!make_room(events_, watched_.size() + 1 + batch_max)) return -ENOMEM;
    if (const int r = update_with_room(watched_, t, before, after, look_, deaf_); r < 0) return r;
    if (after == interest::none) {
      std::erase(deaf_, t.fd);
      disarm(os_, t.fd);
      // A second number of the same file, here or in another poller of this thread, lost it too.
      const auto earlier = this_signal_thread().disarmed++;
      if (!shared_ && disarmed_ == earlier) ++disarmed_;
    } else if (before == interest::none && owner_ != 0 && owner_ == this_signal_thread().id) {
      if (const int r = listen(t.fd); r < 0) {
        disarm(os_, t.fd);
        static_cast<void>(watched_.update(t, after, interest::none));
        return r;
      }
    }
    return 0;
  }

  int wait(clock::duration timeout) noexcept override;

 private:
  static constexpr auto slice = std::chrono::milliseconds(20);
  static constexpr std::size_t batch_max = 256;

  int take_over() noexcept;
  int listen(int fd) noexcept;
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
  std::vector<pollfd> look_;  // the deaf ones
};

int signal_poller::wait(clock::duration timeout) noexcept {
  events_.clear();
  signal_thread& here = this_signal_thread();
  if (owner_ != here.id || disarmed_ != here.disarmed) {
    if (const int r = take_over(); r < 0) return r;
  }
  if (look_at_all_ || taken_ != here.taken) {
    look_at_all_ = false;
    taken_ = here.taken;
    if (const int r = look(watched_.fds()); r != 0) return r;
  }
  look_.clear();
  for (const int fd : deaf_) look_.push_back({fd, watched_[watched_.find(fd)].events, 0});
  if (const int r = look(look_); r != 0) return r;

  const bool sliced = !deaf_.empty() && timeout > slice;
  timespec t = to_timespec(sliced ? slice : timeout);
  siginfo_t info{};
  int n = os_.sigtimedwait(&set_, &info, timeout == for_ever && !sliced ? nullptr : &t);
  if (n < 0) return n != -EAGAIN ? n : sliced ? -EINTR : 0;
  t = {};
  for (std::size_t i = 1; n > 0; ++i) {
    take(info);
    n = i < batch_max ? os_.sigtimedwait(&set_, &info, &t) : 0;
  }
  taken_ = here.taken;
  if (std::exchange(look_at_all_, false) || shared_) {
    events_.clear();
    if (const int r = look(watched_.fds()); r < 0) return r;
  }
  return events_.empty() ? -EINTR : static_cast<int>(events_.size());
}

// SIGIO: the queue overflowed (RLIMIT_SIGPENDING). A code <= 0: sent by a program, not by a file.
void signal_poller::take(const siginfo_t& info) noexcept {
  ++this_signal_thread().taken;
  if (info.si_signo == SIGIO || info.si_code <= 0) {
    look_at_all_ = true;
    return;
  }
  const std::size_t at = watched_.find(info.si_fd);
  if (at == watch_list::nowhere) return;  // removed since, or another poller's: it sees our count
  const auto asked = static_cast<unsigned>(watched_[at].events) | POLLERR | POLLHUP;
  const poll_event e = from_poll(watched_.token(at), static_cast<unsigned>(info.si_band) & asked);
  if (e.ready != interest::none) events_.push_back(e);
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
  signal_thread& here = this_signal_thread();
  if (std::ranges::find(entered_, here.id) == entered_.end()) {
    if (!make_room(entered_, entered_.size() + 1)) return -ENOMEM;
    if (const int r = block_signals(os_, signals_); r < 0) return r;
    entered_.push_back(here.id);
  }
  owner_ = here.id;
  shared_ = false;
  look_at_all_ = true;
  deaf_.clear();
  for (const pollfd& p : watched_.fds()) disarm(os_, p.fd);
  for (std::size_t i = 0; i < watched_.size(); ++i) {
    if (watched_.silent(i)) continue;
    const int r = listen(watched_[i].fd);
    if (r == -EBADF) watched_.silence(i);
    else if (r < 0) return owner_ = 0, r;
  }
  disarmed_ = here.disarmed;
  ++here.taken;  // another poller may share a file that was just without its signal
  return 0;
}

int signal_poller::listen(int fd) noexcept {
  const int r = arm(os_, fd, signals_[0]);
  if (r == static_cast<int>(armed::deaf)) deaf_.push_back(fd);
  shared_ = shared_ || r == static_cast<int>(armed::yes_already);
  return std::min(r, 0);
}

}  // namespace

made_poller make_signal(kernel& os, const poller_options& options) {
  const int number = options.signal_number == 0 ? SIGRTMIN + 4 : options.signal_number;
  if (number < SIGRTMIN || number > SIGRTMAX) return {nullptr, -EINVAL};
  std::unique_ptr<signal_poller> p(new (std::nothrow) signal_poller(os, number));
  if (!p || !p->prepare()) return {nullptr, -ENOMEM};
  return {std::move(p), 0};
}

}  // namespace iolite
// tidy: allow file-length, signals may be lost in four ways, and each needs its look
