// See recorder.hpp.
#include "trace/recorder.hpp"

#include "iolite/core/operation.hpp"

#include <aio.h>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>

namespace iolite::trace {
namespace {

// A call that took longer may have waited: the thread's processor time, which costs 0.3 us to read,
// is worth knowing after it.
constexpr clock::duration may_have_waited = std::chrono::microseconds(20);

int descriptor_of(call c, const call_args& a) noexcept {
  const bool of_aio = c == call::aio_read || c == call::aio_write;
  return of_aio ? a.as<const aiocb*>(0)->aio_fildes : a.as<int>(0);
}

}  // namespace

recorder::recorder(kernel& os)
    : os_(os), scheduler_(os.open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)),
      calls_(kept) {}

recorder::~recorder() {
  if (scheduler_ >= 0) os_.close(scheduler_);
}

// Its second number, in nanoseconds: sched-stats.rst of the kernel.
clock::duration recorder::time_queued() const noexcept {
  std::array<char, 64> text{};
  if (scheduler_ < 0 || os_.pread(scheduler_, text.data(), text.size() - 1, 0) <= 0) return {};
  const char* const second = std::strchr(text.data(), ' ');
  return clock::duration(second ? std::strtoll(second, nullptr, 10) : 0);
}

clock::duration recorder::cpu() const noexcept {
  timespec t{};
  os_.clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

void recorder::arm(int fd) noexcept {
  fd_ = fd;
  count_ = 0;
  entering_ = 0;
  ended_ = false;
  watched_ = nullptr;
  begun_.store(not_begun, std::memory_order_release);
}

void recorder::started(const operation& op) noexcept {
  if (op.kind != op_kind::recv || op.fd != fd_ || ended_) return;
  watched_ = &op;
  queued_started_ = time_queued();
  cpu_started_ = cpu();
  started_ = os_.now();
  begun_.store(started_.time_since_epoch().count(), std::memory_order_release);
}

void recorder::completed(const operation& op) noexcept {
  if (&op != watched_) return;
  completed_ = os_.now();
  cpu_completed_ = cpu();
  queued_ = time_queued() - queued_started_;
  watched_ = nullptr;
  ended_ = true;
}

void recorder::called(call c, const call_args& a, clock::time_point begin, clock::time_point end,
                      long result) noexcept {
  if (!watched_) return;
  call_event& e = calls_[count_++ % kept];
  e = {.what = c, .fd = descriptor_of(c, a), .result = result, .begin = begin, .end = end};
  if (end - begin > may_have_waited) e.cpu = cpu();
  if (enters_kernel(c)) ++entering_;
}

void recorder::take(recording& out) const {
  out.fd = fd_;
  out.started = started_;
  out.completed = completed_;
  out.cpu_started = cpu_started_;
  out.cpu_completed = cpu_completed_;
  if (scheduler_ >= 0) out.queued = queued_;
  out.calls_made = entering_;
  const std::size_t n = std::min(count_, kept);
  out.calls.clear();
  for (std::size_t i = count_ - n; i < count_; ++i) out.calls.push_back(calls_[i % kept]);
}

}  // namespace iolite::trace
