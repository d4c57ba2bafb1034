// See process.hpp: the calls on signals, and on the recipients of those of files.
#include "kernel/simulated/descriptors/wait.hpp"
#include "kernel/simulated/processes/process.hpp"

#include <ctime>
#include <fcntl.h>

namespace iolite::simulated {

// The recipient of a file's signals, and their number.
long process::own(file& f, int command, long argument) {
  auto* const who = reinterpret_cast<f_owner_ex*>(argument);
  switch (command) {
  case F_SETSIG:
    if (argument < 0 || argument >= NSIG) return -EINVAL;
    return f.owner.number = static_cast<int>(argument), 0;
  case F_GETSIG: return f.owner.number;
  case F_GETOWN_EX: return *who = {static_cast<__pid_type>(f.owner.type), f.owner.id}, 0;
  default: break;
  }
  if (who->type < F_OWNER_TID || who->type > F_OWNER_PGRP) return -EINVAL;
  static_cast<void>(site_.signals.thread_id());  // from now on it is known
  if (who->pid != 0 && !site_.signals.knows(who->pid)) return -ESRCH;
  f.owner.type = who->type;
  f.owner.id = who->pid;
  return 0;
}

// A thread of its own: the signals are this one's.
long process::wait_for_signal(const sigset_t& set, siginfo_t* out, const timespec* t) {
  if (t && (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec > 999'999'999)) return -EINVAL;
  int number = site_.signals.take(set, out);
  if (number != 0 || (t && length_of(*t) == clock::duration::zero())) {
    return number != 0 ? number : -EAGAIN;
  }
  const int me = site_.signals.thread_id();
  const auto look = [&] { return site_.signals.is_waiting(me, set); };
  const long r = wait(&site_.version, t ? deadline(length_of(*t)) : never, look);
  if (r == 0) number = site_.signals.take(set, out);
  return r == 0 ? number : r == -ETIMEDOUT ? -EAGAIN : r;
}

}  // namespace iolite::simulated
