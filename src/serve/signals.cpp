// See signals.hpp. What the handler does is atomic or a system call: signal-safety(7).
#include "serve/signals.hpp"

#include <cerrno>
#include <memory>
#include <sys/socket.h>

namespace iolite {
namespace {

constexpr int no_connection = -1;
constexpr int closed_connection = -2;  // there was one

void on_signal(int number) {
  const int saved = errno;
  signal_meaning::of(kernel::of_thread()).take(number);
  errno = saved;
}

sigset_t both_signals() noexcept {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

signal_meaning& signal_meaning::of(kernel& k) {
  static constinit signal_meaning of_the_system;  // a handler may be early, and late
  kernel& home = k.undecorated();
  if (&home == &kernel::real()) return of_the_system;
  if (!home.signals) home.signals = std::make_shared<signal_meaning>();
  return *static_cast<signal_meaning*>(home.signals.get());
}

void signal_meaning::take(int number) noexcept {
  std::atomic_ref(handlers).fetch_add(1);
  const bool again = seen.fetch_add(1) > 0;
  kernel* const k = os.load();
  const int fd = connection.load();
  stop_latch* const asked = latch.load();
  if (again && !in_child.load()) k->exit(128 + number);
  else if (fd >= 0) k->shutdown(fd, SHUT_RD);
  else if (asked) asked->request();
  if (std::atomic_ref(handlers).fetch_sub(1) == 1 && k) k->futex_wake(&handlers, 1);
}

void signal_meaning::await_handlers() noexcept {
  while (const std::uint32_t n = std::atomic_ref(handlers).load()) {
    os.load()->futex_wait(&handlers, n, nullptr);
  }
}

bool signal_meaning::connection_ends() const noexcept {
  return connection.load(std::memory_order_relaxed) != no_connection &&
         seen.load(std::memory_order_relaxed) > 0;
}

void signal_meaning::connection_closes(int fd) noexcept {
  int its = fd;
  connection.compare_exchange_strong(its, closed_connection);
}

stop_signals::stop_signals(kernel& os, stop_latch& latch, bool on)
    : os_(os), meaning_(signal_meaning::of(os)), on_(on) {
  signal_meaning& m = meaning_;
  m.os = &os_.undecorated();
  m.seen = 0;
  m.connection = no_connection;
  m.in_child = false;
  m.latch = &latch;
  if (!on_) return;
  os_.sigaction(SIGINT, nullptr, &old_int_);
  os_.sigaction(SIGTERM, nullptr, &old_term_);
  install(os_);
}

stop_signals::~stop_signals() {
  if (on_) {
    os_.sigaction(SIGINT, &old_int_, nullptr);
    os_.sigaction(SIGTERM, &old_term_, nullptr);
  }
  meaning_.latch = nullptr;
  meaning_.await_handlers();  // one on another thread may have the latch still
}

void stop_signals::install(kernel& os) noexcept {
  struct sigaction act{};
  act.sa_handler = on_signal;
  ::sigemptyset(&act.sa_mask);
  os.sigaction(SIGINT, &act, nullptr);
  os.sigaction(SIGTERM, &act, nullptr);
}

// --- in children ---

stop_signals::held_back::held_back(kernel& os) noexcept : os_(os) {
  const sigset_t both = both_signals();
  os_.sigprocmask(SIG_BLOCK, &both, &before_);
}

stop_signals::held_back::~held_back() { os_.sigprocmask(SIG_SETMASK, &before_, nullptr); }

void stop_signals::start_in_child(kernel& os, stop_latch* latch, int fd) {
  signal_meaning& m = signal_meaning::of(os);
  // A handler of the parent's that ran on another thread is not in this process.
  std::atomic_ref(m.handlers).store(0);
  m.os = &os.undecorated();
  m.seen = 0;
  m.in_child = true;
  m.connection = fd;
  m.latch = latch;
  install(os);
  const sigset_t both = both_signals();
  os.sigprocmask(SIG_UNBLOCK, &both, nullptr);
}

void stop_signals::end_connection(kernel& os, int fd) { start_in_child(os, nullptr, fd); }

void stop_signals::ask(kernel& os, stop_latch& latch) { start_in_child(os, &latch, no_connection); }

}  // namespace iolite
