// See signals.hpp. What happens in the handler is atomic or a system call: signal-safety(7).
#include "serve/signals.hpp"

#include "base/assert.hpp"

#include <cerrno>
#include <memory>
#include <sys/socket.h>

namespace iolite {
namespace {

constexpr int no_connection = -1;
constexpr int closed_connection = -2;  // there was one

void add_both(sigset_t& set) noexcept {
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
}

}  // namespace

signal_meaning& signal_meaning::of(kernel& k) {
  static constinit signal_meaning of_the_system;  // a handler may be early, and late
  kernel& home = k.undecorated();
  if (&home == &kernel::real()) return of_the_system;
  std::shared_ptr<void>& kept = caught_signals::of_server(home);
  if (!kept) kept = std::make_shared<signal_meaning>();
  return *static_cast<signal_meaning*>(kept.get());
}

void signal_meaning::caught(int number) noexcept {
  const bool again = seen.fetch_add(1) > 0;
  const int fd = connection.load();
  stop_latch* const asked = latch.load();
  if (again && !in_child.load()) {
    os.load()->exit(128 + number);
  } else {
    if (fd >= 0) os.load()->shutdown(fd, SHUT_RD);
    if (asked) asked->request();
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
  if (!on_) return;
  signal_meaning& m = meaning_;
  m.os = &os_.undecorated();
  m.seen = 0;
  m.connection = no_connection;
  m.in_child = false;
  m.latch = &latch;
  const int error = caught_signals::of(os_).add(os_, m);
  IOLITE_ASSERT(error != -EALREADY,
                "one serve() at a time receives SIGINT and SIGTERM: see serve_options::signals");
}

stop_signals::~stop_signals() {
  if (!on_) return;
  caught_signals::of(os_).remove(os_, meaning_);
  meaning_.latch = nullptr;
}

// --- in children ---

stop_signals::held_back::held_back(kernel& os) noexcept : os_(os) {
  sigset_t all;
  ::sigfillset(&all);
  os_.sigprocmask(SIG_BLOCK, &all, &before_);
}

stop_signals::held_back::~held_back() { os_.sigprocmask(SIG_SETMASK, &before_, nullptr); }

void stop_signals::begin_child(kernel& os, sigset_t blocked) {
  caught_signals::of(os).start_in_child();
  add_both(blocked);
  os.sigprocmask(SIG_SETMASK, &blocked, nullptr);
}

void stop_signals::receive_in_child(kernel& os, stop_latch* latch, int fd) {
  signal_meaning& m = signal_meaning::of(os);
  m.os = &os.undecorated();
  m.seen = 0;
  m.in_child = true;
  m.connection = fd;
  m.latch = latch;
  caught_signals::of(os).add(os, m);
  sigset_t both;
  ::sigemptyset(&both);
  add_both(both);
  os.sigprocmask(SIG_UNBLOCK, &both, nullptr);
}

void stop_signals::end_connection(kernel& os, stop_latch& latch, int fd) {
  receive_in_child(os, &latch, fd);
}

void stop_signals::ask_nobody(kernel& os) noexcept {
  signal_meaning::of(os).latch = nullptr;
  caught_signals::of(os).await_handlers(os);  // one on another thread may have it still
}

void stop_signals::ask(kernel& os, stop_latch& latch) {
  receive_in_child(os, &latch, no_connection);
}

}  // namespace iolite
