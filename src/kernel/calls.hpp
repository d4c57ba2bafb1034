// The system calls this library makes, as a list: names for reports, an index for counters and
// faults. New ones come last: the hashes of traces have their numbers.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace iolite {

// clang-format off
#define IOLITE_CALLS(X) \
  X(socket) X(bind) X(listen) X(accept4) X(connect) X(shutdown) X(socketpair) \
  X(getsockname) X(getpeername) X(setsockopt) X(getsockopt) X(recv) X(send) \
  X(open) X(close) X(read) X(write) X(fcntl) X(ioctl) X(dup) X(dup3) X(unlink) X(pipe2) \
  X(lseek) X(pread) X(pwrite) X(fsync) X(fstat) X(sendfile) X(splice) \
  X(select) X(poll) X(epoll_create1) X(epoll_ctl) X(epoll_wait) \
  X(kqueue) X(kevent) \
  X(eventfd) X(futex_wait) X(futex_wake) X(sched_yield) X(nanosleep) \
  X(sigprocmask) X(sigtimedwait) X(sigaction) X(gettid) X(getpid) \
  X(aio_read) X(aio_write) X(aio_suspend) X(aio_error) X(aio_return) X(aio_fsync) \
  X(io_uring_setup) X(io_uring_enter) X(io_uring_register) X(mmap) X(munmap) \
  X(clone) X(join) X(detach) \
  X(fork) X(waitpid) X(kill) X(pidfd_open) X(getppid) X(prctl) X(getrlimit) \
  X(sendto) X(recvfrom) X(sendmsg) \
  X(lstat) X(flock) X(rename) X(mkdir) X(rmdir) \
  X(madvise) X(sigpending) X(exit) X(setpgid) X(getpgid) X(setsid) \
  X(recvmsg) X(clock_gettime) X(perf_event_open) X(sched_getaffinity) X(sched_setaffinity)
// clang-format on

enum class call : std::uint8_t {
#define IOLITE_CALL_ENUM(name) name,
  IOLITE_CALLS(IOLITE_CALL_ENUM)
#undef IOLITE_CALL_ENUM
};

inline constexpr std::array call_names = {
#define IOLITE_CALL_NAME(name) std::string_view(#name),
    IOLITE_CALLS(IOLITE_CALL_NAME)
#undef IOLITE_CALL_NAME
};
inline constexpr std::size_t call_count = call_names.size();

[[nodiscard]] constexpr std::string_view name_of(call c) noexcept {
  return call_names[static_cast<std::size_t>(c)];
}

using call_counts = std::array<std::uint64_t, call_count>;

// The calling thread's calls since it began.
[[nodiscard]] call_counts calls_of_thread() noexcept;
// Those of all threads, living and ended. After share_call_counts(), also of children made by
// kernel::fork() that have ended: call it once, before the first fork. False: no memory for it.
[[nodiscard]] call_counts calls_of_process() noexcept;
bool share_call_counts() noexcept;

}  // namespace iolite
