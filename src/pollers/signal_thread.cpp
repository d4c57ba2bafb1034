// See signal_thread.hpp. fcntl(2), "Signals"; signal(7); pthread_atfork(3).
#include "pollers/signal_thread.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <utility>

namespace iolite {
namespace {

// In a child of fork(2) no signal is pending, and the mask is the program's again.
void restore_mask_in_child() noexcept {
  signal_thread& here = state_of_thread().signals;
  sigset_t set;
  sigemptyset(&set);
  for (int s = 1; s < NSIG; ++s) {
    if (here.ours[static_cast<std::size_t>(s)]) sigaddset(&set, s);
  }
  kernel::real().sigprocmask(SIG_UNBLOCK, &set, nullptr);
  here = {};
}

}  // namespace

signal_thread& this_signal_thread() noexcept {
  static std::atomic<std::uint64_t> last = 0;
  [[maybe_unused]] static const int at_fork =
      ::pthread_atfork(nullptr, nullptr, restore_mask_in_child);
  signal_thread& here = state_of_thread().signals;
  if (here.id == 0) here.id = ++last;
  return here;
}

int block_signals(kernel& os, std::span<const int> signals) noexcept {
  signal_thread& here = state_of_thread().signals;
  sigset_t set, old;
  sigemptyset(&set);
  for (const int s : signals) sigaddset(&set, s);
  if (const int r = os.sigprocmask(SIG_BLOCK, &set, &old); r < 0) return r;
  for (const int s : signals) {
    const auto i = static_cast<std::size_t>(s);
    if (here.pollers[i]++ == 0) here.ours[i] = sigismember(&old, s) == 0;
  }
  return 0;
}

void unblock_signals(kernel& os, std::span<const int> signals) noexcept {
  signal_thread& here = state_of_thread().signals;
  sigset_t unneeded, ours;
  sigemptyset(&unneeded);
  sigemptyset(&ours);
  for (const int s : signals) {
    const auto i = static_cast<std::size_t>(s);
    if (--here.pollers[i] > 0) continue;
    sigaddset(&unneeded, s);
    if (std::exchange(here.ours[i], false)) sigaddset(&ours, s);
  }
  constexpr timespec at_once{};
  siginfo_t info{};
  int n = 1;
  while (n > 0 || n == -EINTR) n = os.sigtimedwait(&unneeded, &info, &at_once);
  os.sigprocmask(SIG_UNBLOCK, &ours, nullptr);
}

// fcntl(2), "Signals". A file that cannot be armed sends none: its O_ASYNC is ignored (eventfd(2))
// or refused (a terminal that is hung up: ENOTTY).
armed arm(kernel& os, int fd, int number) noexcept {
  struct stat about{};
  if (const int r = os.fstat(fd, &about); r < 0) return {.error = r};
  sender kind = sender::unreliable;
  if (S_ISSOCK(about.st_mode)) kind = sender::precise;
  if (S_ISFIFO(about.st_mode)) kind = sender::vague;
  f_owner_ex owner{F_OWNER_TID, os.gettid()};
  const int flags = os.fcntl(fd, F_GETFL);
  int r = std::min(flags, 0);
  if (r == 0) r = os.fcntl(fd, F_SETOWN_EX, reinterpret_cast<long>(&owner));
  if (r == 0) r = os.fcntl(fd, F_SETSIG, number);
  if (r == 0) r = os.fcntl(fd, F_SETFL, flags | O_ASYNC);
  if (r == 0) return {.kind = kind, .twice = (flags & O_ASYNC) != 0};
  if (r == -EBADF || r == -ENOMEM) return {.error = r};
  return {.kind = sender::unreliable};
}

void disarm(kernel& os, int fd) noexcept {
  // What stays armed sends a signal that nobody blocks any more, and that ends the program.
  for (int tries = 0; fd >= 0 && tries < 3; ++tries) {
    const int flags = os.fcntl(fd, F_GETFL);
    if (flags == -EBADF || (flags >= 0 && (flags & O_ASYNC) == 0)) return;
    if (flags >= 0 && os.fcntl(fd, F_SETFL, flags & ~O_ASYNC) >= 0) return;
  }
}

}  // namespace iolite
