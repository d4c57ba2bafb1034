// See signals.hpp.
#include "kernel/simulated/processes/signals.hpp"

#include "kernel/simulated/world/machine.hpp"
#include "kernel/thread_state.hpp"

#include <cerrno>
#include <poll.h>
#include <string>

namespace iolite::simulated {
namespace {

bool is_number(int n) noexcept { return n >= 1 && n < NSIG; }
bool is_real_time(int n) noexcept { return n >= 32; }  // the kernel's SIGRTMIN
bool is_ignored_by_default(int n) noexcept {
  return n == SIGCHLD || n == SIGURG || n == SIGWINCH || n == SIGCONT;
}

// send_sigio_to_task() in Linux: fs/fcntl.c.
long band_of(int reason) noexcept {
  switch (reason) {
  case POLL_IN: return POLLIN | POLLRDNORM;
  case POLL_OUT: return POLLOUT | POLLWRNORM | POLLWRBAND;
  case POLL_ERR: return POLLERR;
  default: return POLLHUP | POLLERR;
  }
}

template <class Change>
void change_mask(sigset_t& mask, const sigset_t& by, Change change) {
  for (int n = 1; n < NSIG; ++n) {
    if (::sigismember(&by, n) == 1) change(&mask, n);
  }
}

}  // namespace

signal_table::one_thread& signal_table::mine() {
  auto& t = threads_[&state_of_thread()];
  if (!t) {
    t = std::make_unique<one_thread>();
    const int earlier = known_++;
    t->id = earlier == 0 ? first_id_ : first_id_ * 1000 + earlier;
    ::sigemptyset(&t->blocked);
  }
  return *t;
}

void signal_table::thread_ends() {
  const auto me = threads_.find(&state_of_thread());
  if (me == threads_.end()) return;
  for (int n = 1; n < NSIG; ++n) discard(*me->second, n);
  threads_.erase(me);
}

signal_table::one_thread* signal_table::find(int id) const noexcept {
  for (const auto& [key, t] : threads_) {
    if (t->id == id) return t.get();
  }
  return nullptr;
}

int signal_table::mask(int how, const sigset_t* set, sigset_t* old) {
  one_thread& me = mine();
  if (old) *old = me.blocked;
  if (!set) return 0;
  switch (how) {
  case SIG_BLOCK: change_mask(me.blocked, *set, ::sigaddset); break;
  case SIG_UNBLOCK: change_mask(me.blocked, *set, ::sigdelset); break;
  case SIG_SETMASK: me.blocked = *set; break;
  default: return -EINVAL;
  }
  // What is let through now and has no handler is gone, or fatal.
  for (one_thread* const at : {&me, &shared_}) {
    for (int n = 1; n < NSIG; ++n) {
      const auto& waiting = at->waiting[static_cast<std::size_t>(n)];
      if (waiting.empty() || ::sigismember(&me.blocked, n) == 1 || has_handler(n)) continue;
      must_not_be_let_through(n, waiting.front());
      if (is_ignored(n)) discard(*at, n);
    }
  }
  return 0;
}

int signal_table::action(int number, const struct sigaction* act, struct sigaction* old) {
  if (!is_number(number)) return -EINVAL;
  if (act && (number == SIGKILL || number == SIGSTOP)) return -EINVAL;
  struct sigaction& now = actions_[static_cast<std::size_t>(number)];
  if (old) *old = now;
  if (act) now = *act;
  if (!act || !is_ignored(number)) return 0;
  discard(shared_, number);
  for (const auto& [key, t] : threads_) discard(*t, number);
  return 0;
}

bool signal_table::is_waiting(int id, const sigset_t& set) const noexcept {
  const one_thread* const t = find(id);
  for (int n = 1; t && n < NSIG; ++n) {
    const auto i = static_cast<std::size_t>(n);
    const bool some = !t->waiting[i].empty() || !shared_.waiting[i].empty();
    if (some && ::sigismember(&set, n) == 1) return true;
  }
  return false;
}

sigset_t signal_table::pending() {
  sigset_t out;
  ::sigemptyset(&out);
  const one_thread& me = mine();
  for (int n = 1; n < NSIG; ++n) {
    const auto i = static_cast<std::size_t>(n);
    if (!me.waiting[i].empty() || !shared_.waiting[i].empty()) ::sigaddset(&out, n);
  }
  return out;
}

void signal_table::take_first(std::deque<siginfo_t>& waiting, int number) {
  waiting.pop_front();
  --waiting_;
  if (is_real_time(number)) --queued_;
}

void signal_table::discard(one_thread& of, int number) {
  auto& waiting = of.waiting[static_cast<std::size_t>(number)];
  while (!waiting.empty()) take_first(waiting, number);
}

int signal_table::take(const sigset_t& set, siginfo_t* out) {
  one_thread& me = mine();
  for (int n = 1; n < NSIG; ++n) {
    if (::sigismember(&set, n) != 1) continue;
    for (one_thread* const at : {&me, &shared_}) {
      auto& waiting = at->waiting[static_cast<std::size_t>(n)];
      if (waiting.empty()) continue;
      if (out) *out = waiting.front();
      take_first(waiting, n);
      return n;
    }
  }
  return 0;
}

void signal_table::from_file(int id, int number, int fd, int reason, bool full) {
  one_thread* const to = find(id);
  if (!to) return;
  siginfo_t info{};
  if (number == 0 || full || (is_real_time(number) && queued_ >= queue_max)) {
    info.si_signo = SIGIO;
    info.si_code = SI_KERNEL;
    return deliver(*to, SIGIO, info);
  }
  info.si_signo = number;
  info.si_code = is_real_time(number) ? reason : SI_SIGIO;
  if (number == SIGIO) info.si_code = reason;
  info.si_band = band_of(reason);
  info.si_fd = fd;
  deliver(*to, number, info);
}

bool signal_table::has_handler(int number) const noexcept {
  const auto h = actions_[static_cast<std::size_t>(number)].sa_handler;
  return h != SIG_DFL && h != SIG_IGN;
}

bool signal_table::is_ignored(int number) const noexcept {
  const auto h = actions_[static_cast<std::size_t>(number)].sa_handler;
  return h == SIG_IGN || (h == SIG_DFL && is_ignored_by_default(number));
}

signal_table::one_thread* signal_table::who_lets_through(int number) noexcept {
  one_thread* first = nullptr;  // the first thread has the lowest number
  for (const auto& [key, t] : threads_) {
    if (::sigismember(&t->blocked, number) != 1 && (!first || t->id < first->id)) first = t.get();
  }
  return first;
}

bool signal_table::from_process(int number, long sender) {
  if (number == SIGKILL) return true;
  siginfo_t info{};
  info.si_code = SI_USER;
  info.si_pid = static_cast<pid_t>(sender);
  one_thread* const to = who_lets_through(number);
  deliver(to ? *to : shared_, number, info);
  return to && !has_handler(number) && !is_ignored(number);
}

void signal_table::deliver(one_thread& to, int number, const siginfo_t& info) {
  const auto n = static_cast<std::size_t>(number);
  if (actions_[n].sa_handler == SIG_IGN) return;
  const bool blocked = &to == &shared_ || ::sigismember(&to.blocked, number) == 1;
  if (!blocked && !has_handler(number)) return must_not_be_let_through(number, info);
  if (!is_real_time(number) && !to.waiting[n].empty()) return;  // one of them is all
  to.waiting[n].push_back(info);
  to.waiting[n].back().si_signo = number;
  ++waiting_;
  if (is_real_time(number)) ++queued_;
}

void signal_table::must_not_be_let_through(int number, const siginfo_t& info) const {
  if (has_handler(number) || is_ignored(number) || info.si_code == SI_USER) return;
  stop(("signal " + std::to_string(number) + " is not blocked, and would end the program").c_str());
}

// --- handlers ---

bool signal_table::interrupts(const thread_state* thread) const noexcept {
  if (waiting_ == 0) return false;
  const auto it = threads_.find(thread);
  const one_thread* const its = it == threads_.end() ? nullptr : it->second.get();
  for (int n = 1; n < NSIG; ++n) {
    const auto i = static_cast<std::size_t>(n);
    const bool some = (its && !its->waiting[i].empty()) || !shared_.waiting[i].empty();
    if (some && !(its && ::sigismember(&its->blocked, n) == 1)) return true;
  }
  return false;
}

signal_table::handling signal_table::begin_handling() {
  one_thread& me = mine();
  for (int n = 1; n < NSIG; ++n) {
    if (::sigismember(&me.blocked, n) == 1) continue;
    for (one_thread* const at : {&me, &shared_}) {
      auto& waiting = at->waiting[static_cast<std::size_t>(n)];
      if (waiting.empty()) continue;
      take_first(waiting, n);
      const struct sigaction& act = actions_[static_cast<std::size_t>(n)];
      const handling h{n, has_handler(n) ? act.sa_handler : nullptr, me.blocked};
      change_mask(me.blocked, act.sa_mask, ::sigaddset);
      if ((act.sa_flags & SA_NODEFER) == 0) ::sigaddset(&me.blocked, n);
      return h;
    }
  }
  return {};
}

}  // namespace iolite::simulated
