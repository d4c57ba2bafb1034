// watch DIRECTORY COMMAND [ARGUMENT...]
//
// Runs the command, and again whenever a file of the directory has changed; a run that still goes
// on is ended first:
//
//   watch src make test
//
// It waits for two descriptors that the library does not own, of inotify(7) and pidfd_open(2).
// ready() says when one can be read; reading it is up to the program. A client of a database is
// driven in the same way, by its socket: PQsocket() of libpq, redisContext::fd of hiredis.
#include <iolite/iolite.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <spawn.h>
#include <string>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace {

using namespace std::chrono_literals;
using iolite::interest;

struct descriptor {
  int fd = -1;
  explicit descriptor(int number) noexcept : fd(number) {}
  descriptor(descriptor&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  descriptor& operator=(descriptor&&) = delete;
  ~descriptor() {
    if (fd >= 0) ::close(fd);  // nobody waits for it any more
  }
};

std::unexpected<std::error_code> last_error() { return iolite::failure(-errno); }

struct child {
  pid_t pid;
  descriptor ended;  // readable once it has

  static iolite::result<child> start(char** command) {
    pid_t pid = 0;
    if (const int e = ::posix_spawnp(&pid, command[0], nullptr, nullptr, command, environ); e != 0)
      return iolite::failure(-e);
    descriptor ended(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (ended.fd < 0) return last_error();
    return child{pid, std::move(ended)};
  }
  // Once `ended` is readable it does not wait.
  void say_how() const {
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid) return;
    if (WIFSIGNALED(status)) std::printf("watch: ended by signal %d\n", WTERMSIG(status));
    else std::printf("watch: exit status %d\n", WEXITSTATUS(status));
    std::fflush(stdout);
  }
};

// Asks it to end, and after two seconds makes it.
iolite::task<iolite::result<void>> end(const child& c) {
  ::kill(c.pid, SIGTERM);
  const auto ended = co_await (iolite::ready(c.ended.fd, interest::read) | iolite::within(2s));
  if (!ended && ended.error() != std::errc::timed_out) co_return std::unexpected(ended.error());
  if (!ended) ::kill(c.pid, SIGKILL);
  co_return iolite::result<void>();
}

// Reads what has happened until nothing has for 50 ms: an editor saves a file in several steps.
iolite::task<iolite::result<void>> settle(const descriptor& changes) {
  for (;;) {
    std::array<char, 4096> events;
    while (::read(changes.fd, events.data(), events.size()) > 0) continue;  // EAGAIN in the end
    const auto more = co_await (iolite::ready(changes.fd, interest::read) | iolite::within(50ms));
    if (!more && more.error() == std::errc::timed_out) co_return iolite::result<void>();
    if (!more) co_return std::unexpected(more.error());
  }
}

iolite::task<iolite::result<void>> watch(const char* directory, char** command) {
  const descriptor changes(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  constexpr unsigned what = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;
  if (::inotify_add_watch(changes.fd, directory, what | IN_ONLYDIR) < 0) co_return last_error();
  for (;;) {
    const auto run = child::start(command);
    if (!run) co_return std::unexpected(run.error());
    const auto first = co_await iolite::when_any(iolite::ready(run->ended.fd, interest::read),
                                                 iolite::ready(changes.fd, interest::read));
    if (first.index == 1) {
      const auto ended = co_await end(*run);
      if (!ended) co_return ended;
    }
    run->say_how();
    const auto changed = co_await iolite::ready(changes.fd, interest::read);
    if (!changed) co_return std::unexpected(changed.error());
    const auto settled = co_await settle(changes);
    if (!settled) co_return settled;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fputs("watch: DIRECTORY COMMAND [ARGUMENT...]\n", stderr), 1;
  return iolite::run(watch(argv[1], argv + 2));
}
