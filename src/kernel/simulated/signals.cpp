// See signals.hpp.
#include "kernel/simulated/signals.hpp"

#include "kernel/simulated/machine.hpp"
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
  for (int n = 1; n < NSIG; ++n) {
    if (is_real_time(n)) queued_ -= me->second->waiting[static_cast<std::size_t>(n)].size();
  }
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
  for (int n = 1; n < NSIG; ++n) {
    auto& waiting = me.waiting[static_cast<std::size_t>(n)];
    if (waiting.empty() || ::sigismember(&me.blocked, n) == 1) continue;
    must_not_be_let_through(n);
    if (is_real_time(n)) queued_ -= waiting.size();
    waiting.clear();
  }
  return 0;
}

int signal_table::action(int number, const struct sigaction* act, struct sigaction* old) {
  if (!is_number(number)) return -EINVAL;
  if (act && (number == SIGKILL || number == SIGSTOP)) return -EINVAL;
  struct sigaction& now = actions_[static_cast<std::size_t>(number)];
  if (old) *old = now;
  if (act) now = *act;
  return 0;
}

bool signal_table::is_waiting(int id, const sigset_t& set) const noexcept {
  const one_thread* const t = find(id);
  for (int n = 1; t && n < NSIG; ++n) {
    if (!t->waiting[static_cast<std::size_t>(n)].empty() && ::sigismember(&set, n) == 1)
      return true;
  }
  return false;
}

sigset_t signal_table::pending() {
  sigset_t out;
  ::sigemptyset(&out);
  const one_thread& me = mine();
  for (int n = 1; n < NSIG; ++n) {
    if (!me.waiting[static_cast<std::size_t>(n)].empty()) ::sigaddset(&out, n);
  }
  return out;
}

int signal_table::take(const sigset_t& set, siginfo_t* out) {
  one_thread& me = mine();
  for (int n = 1; n < NSIG; ++n) {
    auto& waiting = me.waiting[static_cast<std::size_t>(n)];
    if (waiting.empty() || ::sigismember(&set, n) != 1) continue;
    if (out) *out = waiting.front();
    waiting.pop_front();
    if (is_real_time(n)) --queued_;
    return n;
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

void signal_table::deliver(one_thread& to, int number, const siginfo_t& info) {
  const auto n = static_cast<std::size_t>(number);
  if (actions_[n].sa_handler == SIG_IGN) return;
  if (::sigismember(&to.blocked, number) != 1) return must_not_be_let_through(number);
  if (!is_real_time(number) && !to.waiting[n].empty()) return;  // one of them is all
  to.waiting[n].push_back(info);
  to.waiting[n].back().si_signo = number;
  if (is_real_time(number)) ++queued_;
}

void signal_table::must_not_be_let_through(int number) const {
  if (actions_[static_cast<std::size_t>(number)].sa_handler != SIG_DFL) return;
  if (is_ignored_by_default(number)) return;
  stop(("signal " + std::to_string(number) + " is not blocked, and would end the program").c_str());
}

}  // namespace iolite::simulated
