// See signals.hpp. What the handler does is atomic or a system call: signal-safety(7).
#include "serve/signals.hpp"

#include <atomic>
#include <cerrno>

namespace iolite {
namespace {

std::atomic<stop_latch*> latch_of_process = nullptr;
std::atomic<int> connection_of_process = -1;
std::atomic<int> signals_seen = 0;

void on_signal(int number) {
  const int saved = errno;
  if (signals_seen.fetch_add(1) > 0) abandon_process(128 + number);
  const int fd = connection_of_process.load();
  if (fd >= 0) kernel::real().shutdown(fd, SHUT_RD);
  else if (stop_latch* latch = latch_of_process.load()) latch->request();
  errno = saved;
}

}  // namespace

stop_signals::stop_signals(kernel& os, stop_latch& latch, bool on) noexcept : os_(os), on_(on) {
  signals_seen = 0;
  connection_of_process = -1;
  latch_of_process = &latch;
  if (!on_) return;
  os_.sigaction(SIGINT, nullptr, &old_int_);
  os_.sigaction(SIGTERM, nullptr, &old_term_);
  install();
}

stop_signals::~stop_signals() {
  if (on_) {
    os_.sigaction(SIGINT, &old_int_, nullptr);
    os_.sigaction(SIGTERM, &old_term_, nullptr);
  }
  latch_of_process = nullptr;
}

void stop_signals::install() noexcept {
  struct sigaction act{};
  act.sa_handler = on_signal;
  ::sigemptyset(&act.sa_mask);
  kernel::real().sigaction(SIGINT, &act, nullptr);
  kernel::real().sigaction(SIGTERM, &act, nullptr);
}

void stop_signals::end_connection_instead(int fd) noexcept {
  connection_of_process = fd;
  install();
  if (signals_seen.load() > 0) kernel::real().shutdown(fd, SHUT_RD);  // it came during the fork
}

bool stop_signals::connection_ends() noexcept {
  return connection_of_process.load(std::memory_order_relaxed) >= 0 &&
         signals_seen.load(std::memory_order_relaxed) > 0;
}

void stop_signals::ask_instead(stop_latch& latch) noexcept {
  latch_of_process = &latch;
  install();
  if (signals_seen.load() > 0) latch.request();
}

}  // namespace iolite
