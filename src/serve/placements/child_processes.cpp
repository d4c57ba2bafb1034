// See child_processes.hpp.
#include "serve/placements/child_processes.hpp"

#include "iolite/ready.hpp"
#include "iolite/time.hpp"
#include "serve/signals.hpp"

#include <cerrno>
#include <csignal>
#include <new>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <utility>

namespace iolite {

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return "was ended by signal " + std::to_string(WTERMSIG(status));
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

bool is_well(int status) noexcept { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

namespace {

// What a child takes from its parent, by value.
struct parent {
  int pid;
  sigset_t blocked;
  std::vector<int> pidfds;  // of the others: in the child they may be all the descriptors there are
};

int run(kernel& os, const kernel::child_body& body, const parent& from) {
  for (const int fd : from.pidfds) os.close(fd);
  os.prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (os.getppid() != from.pid) os.kill(os.getpid(), SIGKILL);  // it was quicker
  try {
    stop_signals::begin_child(os, from.blocked);
    return body(os);
  } catch (const std::bad_alloc&) {  // the status says it
    return 1;
  }
}

}  // namespace

int child_processes::start(kernel::child_body body) {
  all_.reserve(all_.size() + 1);
  const stop_signals::held_back until_it_is_known(os_);
  parent here{.pid = os_.getpid(), .blocked = until_it_is_known.before(), .pidfds = {}};
  here.pidfds.reserve(all_.size());
  for (const child& c : all_) {
    if (c.fd >= 0) here.pidfds.push_back(c.fd);
  }
  const kernel::child_body in_child = [what = std::move(body), from = std::move(here)](kernel& os) {
    return run(os, what, from);
  };
  const int pid = os_.fork(in_child);
  if (pid > 0) all_.push_back({pid});
  return pid;
}

task<int> child_processes::end_of(const int& pid) {
  int status = 0;
  const int fd = os_.pidfd_open(pid);
  for (child& c : all_) {
    if (c.pid == pid) c.fd = fd;
  }
  for (int r = 0; r == 0 || r == -EINTR;) {
    r = os_.waitpid(pid, &status, WNOHANG);
    if (r != 0) continue;
    bool told = false;
    if (fd >= 0) {
      auto end = ready(fd, interest::read);
      told = (co_await end).has_value();
    }
    if (!told) {  // before Linux 5.3, or no descriptor or no memory is free
      auto pause = sleep(std::chrono::milliseconds(20));
      static_cast<void>(co_await pause);
    }
  }
  if (fd >= 0) os_.close(fd);
  std::erase_if(all_, [&](const child& c) { return c.pid == pid; });
  co_return status;
}

void child_processes::tell(int signal) noexcept {
  for (const child& c : all_) os_.kill(c.pid, signal);
}

}  // namespace iolite
