// See peer.hpp.
#include "trace/peer.hpp"

#include "trace/connections.hpp"
#include "trace/files.hpp"

#include <algorithm>
#include <climits>
#include <ctime>
#include <string>
#include <sys/prctl.h>

namespace iolite::trace {
namespace {

using namespace std::chrono_literals;

// How long an exchange may take beyond its delay: after that it has failed.
constexpr clock::duration patience = 5s;
constexpr std::size_t message_max = std::size_t{1024} * 1024;

std::uint32_t load(const std::uint32_t& n) noexcept {
  return __atomic_load_n(&n, __ATOMIC_ACQUIRE);
}

void count_up(kernel& os, std::uint32_t& n) noexcept {
  __atomic_fetch_add(&n, 1, __ATOMIC_RELEASE);
  os.futex_wake(&n, INT_MAX);
}

}  // namespace

peer::peer(kernel& os, const recorder& watched, int waiting, int cpu)
    : os_(os), watched_(watched), waiting_(waiting), cpu_(cpu), message_(message_max),
      thread_(os, [this]() noexcept { run(); }) {}

peer::~peer() {
  ends_ = true;
  count_up(os_, begun_);
  thread_.join();
}

void peer::send_after(int fd, std::size_t bytes, clock::duration delay) noexcept {
  work_ = {fd, std::min(bytes, message_max), delay};
  count_up(os_, begun_);
}

bool peer::finish(recording& out) noexcept {
  while (load(done_) != load(begun_)) os_.futex_wait(&done_, load(begun_) - 1, nullptr);
  out.peer = seen_.peer;
  out.sent_before = seen_.sent_before;
  out.sent_after = seen_.sent_after;
  out.stamp = seen_.stamp;
  out.looked_at = seen_.looked_at;
  out.seen_asleep = seen_.seen_asleep;
  return good_;
}

void peer::run() noexcept {
  if (cpu_ >= 0) {
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(static_cast<unsigned>(cpu_), &own);
    os_.sched_setaffinity(sizeof own, &own);
  }
  os_.prctl(PR_SET_TIMERSLACK, 1);  // it sends on time
  for (;;) {
    while (load(begun_) == load(done_)) os_.futex_wait(&begun_, load(done_), nullptr);
    if (ends_) return;
    seen_ = {};
    seen_.peer = os_.gettid();
    good_ = exchange(work_);
    if (!good_) give_up(work_.fd);
    count_up(os_, done_);
  }
}

void peer::sleep_until(clock::time_point t) const noexcept {
  for (clock::duration left = t - os_.now(); left > 0ns; left = t - os_.now()) {
    const timespec length{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
    os_.nanosleep(&length);
  }
}

bool peer::wait_for_start() noexcept {
  const clock::time_point limit = os_.now() + patience;
  while (watched_.begun() == clock::time_point::min()) {
    if (os_.now() > limit) return false;
    sleep_until(os_.now() + 100us);
  }
  return true;
}

bool peer::exchange(const work& w) noexcept {
  if (!wait_for_start()) return false;
  const clock::time_point begun = watched_.begun();
  sleep_until(begun + w.delay / 2);
  look();
  const clock::duration offset = wall_minus_monotonic(os_);
  sleep_until(begun + w.delay);
  seen_.sent_before = os_.now();
  for (std::size_t sent = 0; sent < w.bytes;) {
    const long n = os_.send(w.fd, message_.data() + sent, w.bytes - sent, MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += static_cast<std::size_t>(n);
  }
  seen_.sent_after = os_.now();
  pollfd answer{w.fd, POLLIN, 0};
  constexpr int patience_ms = static_cast<int>(patience / 1ms);
  // A stamp in the error queue ends the wait as well: it is POLLERR, which nobody can ask to omit.
  const clock::time_point limit = os_.now() + patience;
  while ((answer.revents & POLLIN) == 0 && os_.now() < limit) {
    os_.poll(&answer, 1, patience_ms);
    if ((answer.revents & POLLERR) == 0) continue;
    if (const auto stamp = take_transmit_stamp(os_, w.fd))
      seen_.stamp = clock::time_point(*stamp - offset);
  }
  std::byte byte{};
  return os_.recv(w.fd, &byte, 1, MSG_DONTWAIT) == 1;
}

// proc_pid_syscall(5): "running", or the number of the call it is blocked in.
void peer::look() noexcept {
  try {
    const std::string path = "/proc/self/task/" + std::to_string(waiting_) + "/syscall";
    const std::string text = read_file(os_, path);
    if (text.empty()) return;
    seen_.seen_asleep = !text.starts_with("running");
    seen_.looked_at = os_.now();
  } catch (const std::bad_alloc&) {
    seen_.seen_asleep.reset();
  }
}

// The other side must not wait for ever for what will not come.
void peer::give_up(int fd) const noexcept { os_.shutdown(fd, SHUT_RDWR); }

}  // namespace iolite::trace
