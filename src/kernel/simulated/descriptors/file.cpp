// See file.hpp: files that send signals. fcntl(2), "Signals".
#include "kernel/simulated/descriptors/file.hpp"

#include "kernel/simulated/processes/process.hpp"

#include <sys/stat.h>

namespace iolite::simulated {

void file::about(struct stat& out) const {
  out.st_mode = mode_type() | 0600;
  out.st_nlink = 1;
  out.st_blksize = 4096;
}

long file::set_async(bool on, int fd) {
  if (!sends_signals() || on == is_async()) return 0;  // ignored, without a word
  status_flags = on ? status_flags | O_ASYNC : status_flags & ~O_ASYNC;
  owner.fd = fd;
  return 0;
}

void file::tell_owner(short bits) {
  int reason = POLL_OUT;
  if ((bits & POLLERR) != 0) reason = POLL_ERR;
  else if ((bits & POLLHUP) != 0) reason = POLL_HUP;
  else if ((bits & POLLIN) != 0) reason = POLL_IN;
  else if (!tells_of_room()) return;
  const bool full = world().goes_wrong(fault_kind::signal_overflow, site_.number);
  // A thread's number tells its process: see signal_table.
  const long pid = owner.id >= 100'000 ? owner.id / 1000 : owner.id;
  const auto its = site_.at.processes.find(pid);
  if (its == site_.at.processes.end()) return;
  its->second->where().signals.from_file(owner.id, owner.number, owner.fd, reason, full);
}

}  // namespace iolite::simulated
