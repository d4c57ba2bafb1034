// The real kernel: one line a call, each counted. glibc's wrappers are used where they exist, so
// that sanitizers, fork handlers and the vDSO keep working.
#include "kernel/kernel.hpp"

#include <aio.h>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

namespace iolite {
namespace {

// One thread's counters: written by it alone, read by anyone.
struct thread_counters {
  std::array<std::atomic<std::uint64_t>, call_count> count{};
  thread_counters* next = nullptr;
  thread_counters* prev = nullptr;

  thread_counters() noexcept;
  ~thread_counters();
  void add(call c) noexcept {
    auto& n = count[static_cast<std::size_t>(c)];
    n.store(n.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
};

// Calls of threads and (once shared) children that have ended.
using ended_counters = std::array<std::atomic<std::uint64_t>, call_count>;

// Leaked on purpose: threads may end after static destructors have run.
struct registry {
  std::mutex lock;
  thread_counters* live = nullptr;
  ended_counters own{};
  ended_counters* ended = &own;
};
void prepare_fork() noexcept;
void end_fork_in_parent() noexcept;
void start_counting_anew() noexcept;

registry& all() noexcept {
  static registry& r = [] -> registry& {
    ::pthread_atfork(prepare_fork, end_fork_in_parent, start_counting_anew);
    return *new registry;
  }();
  return r;
}

void retire(thread_counters& t) noexcept {
  for (std::size_t i = 0; i < call_count; ++i) {
    (*all().ended)[i].fetch_add(t.count[i].exchange(0, std::memory_order_relaxed),
                                std::memory_order_relaxed);
  }
}

thread_local constinit thread_counters* own_counters = nullptr;  // once it has some

void count_for_all(call c) noexcept {
  (*all().ended)[static_cast<std::size_t>(c)].fetch_add(1, std::memory_order_relaxed);
}

// What a handler of ours calls: it wakes a loop, or ends what a connection receives.
bool is_for_handlers(call c) noexcept {
  return c == call::write || c == call::shutdown || c == call::futex_wake || c == call::exit;
}

thread_counters::thread_counters() noexcept {
  const std::lock_guard hold(all().lock);
  next = all().live;
  if (next) next->prev = this;
  all().live = this;
}

thread_counters::~thread_counters() {
  const std::lock_guard hold(all().lock);
  retire(*this);
  (prev ? prev->next : all().live) = next;
  if (next) next->prev = prev;
}

thread_counters& mine() noexcept {
  thread_local thread_counters t;
  own_counters = &t;
  return t;
}

// So that the child of fork(2) does not inherit the lock in another thread's hands.
void prepare_fork() noexcept { all().lock.lock(); }
void end_fork_in_parent() noexcept { all().lock.unlock(); }

// In the child one thread is left, and what it had counted is the parent's. The counters of the
// others lie where its own threads will have their stacks.
void start_counting_anew() noexcept {
  all().live = nullptr;
  all().lock.unlock();
  thread_counters& t = mine();
  for (auto& n : t.count) n.store(0, std::memory_order_relaxed);
  for (auto& n : all().own) n.store(0, std::memory_order_relaxed);
  t.next = t.prev = nullptr;
  all().live = &t;
}

long futex(std::uint32_t* word, int op, long value, const timespec* t) noexcept {
  return ::syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, t, nullptr, 0);
}

// close(2): Linux has released the number even when it says EINTR.
long close_once(int fd) noexcept {
  const int r = ::close(fd);
  return r < 0 && errno == EINTR ? 0 : r;
}

// aio_error(3) and pthread_sigmask(3) return the error itself.
long negated(int error) noexcept { return error == 0 ? 0 : (errno = error, -1); }

// The stack of a thread of ours. The C library keeps the stacks of ended threads for new ones, up
// to 40 MB: of the usual 8 MiB that is five, and with more connections a second each maps and
// unmaps its own. pthread_attr_setstacksize(3).
constexpr std::size_t stack_bytes = std::size_t{512} * 1024;

const pthread_attr_t* small_stack() noexcept {
  static const pthread_attr_t attributes = [] {
    pthread_attr_t a;
    std::size_t usual = 0;  // less where `ulimit -s` says so
    pthread_attr_init(&a);
    pthread_attr_getstacksize(&a, &usual);
    if (usual > stack_bytes) pthread_attr_setstacksize(&a, stack_bytes);
    return a;
  }();
  return &attributes;
}

long thread_call(call c, const call_args& a) noexcept {
  if (c == call::join) return negated(::pthread_join(a.as<pthread_t>(0), nullptr));
  if (c == call::detach) return negated(::pthread_detach(a.as<pthread_t>(0)));
  pthread_t made{};
  const long r =
      negated(::pthread_create(&made, small_stack(), a.as<void* (*)(void*)>(0), a.as<void*>(1)));
  return r < 0 ? r : static_cast<long>(made);
}

long signal_call(call c, const call_args& a) noexcept {
  if (c == call::sigpending) return ::sigpending(a.as<sigset_t*>(0));
  if (c == call::sigprocmask)
    return negated(::pthread_sigmask(a.as<int>(0), a.as<sigset_t*>(1), a.as<sigset_t*>(2)));
  return ::sigtimedwait(a.as<sigset_t*>(0), a.as<siginfo_t*>(1), a.as<const timespec*>(2));
}

long ring_call(call c, const call_args& a) noexcept {
  if (c == call::io_uring_setup) return ::syscall(SYS_io_uring_setup, a.as<unsigned>(0), a.word[1]);
  if (c == call::io_uring_register)
    return ::syscall(SYS_io_uring_register, a.as<int>(0), a.as<unsigned>(1), a.word[2],
                     a.as<unsigned>(3));
  return ::syscall(SYS_io_uring_enter, a.as<int>(0), a.as<unsigned>(1), a.as<unsigned>(2),
                   a.as<unsigned>(3), a.word[4], a.as<std::size_t>(5));
}

long transfer_with_address(call c, const call_args& a) noexcept {
  const int fd = a.as<int>(0), flags = a.as<int>(3);
  const auto bytes = a.as<std::size_t>(2);
  auto* const at = a.as<sockaddr*>(4);
  if (c == call::recvfrom)
    return ::recvfrom(fd, a.as<void*>(1), bytes, flags, at, a.as<socklen_t*>(5));
  return ::sendto(fd, a.as<const void*>(1), bytes, flags, at, a.as<socklen_t>(5));
}

// On a path; flock(2).
long name_call(call c, const call_args& a) noexcept {
  const auto* const path = a.as<const char*>(0);
  switch (c) {
  case call::flock: return ::flock(a.as<int>(0), a.as<int>(1));
  case call::open: return ::open(path, a.as<int>(1), a.as<unsigned>(2));
  case call::lstat: return ::lstat(path, a.as<struct stat*>(1));
  case call::unlink: return ::unlink(path);
  case call::rename: return ::rename(path, a.as<const char*>(1));
  case call::mkdir: return ::mkdir(path, a.as<unsigned>(1));
  case call::rmdir: return ::rmdir(path);
  default: return errno = ENOSYS, -1;
  }
}

long memory_call(call c, const call_args& a) noexcept {
  if (c == call::munmap) return ::munmap(a.as<void*>(0), a.as<std::size_t>(1));
  if (c == call::madvise) return ::madvise(a.as<void*>(0), a.as<std::size_t>(1), a.as<int>(2));
  return reinterpret_cast<long>(
      ::mmap(nullptr, a.as<std::size_t>(0), a.as<int>(1), a.as<int>(2), a.as<int>(3), a.word[4]));
}

// The counts of a child are added to the shared ones when it ends.
long fork_to_run(const kernel::child_body& body, kernel& os) noexcept {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  const int status = body(os);
  {  // the only thread whose counts can still move is this one
    const std::lock_guard hold(all().lock);
    for (auto* t = all().live; t; t = t->next) retire(*t);
  }
  ::_exit(status);
}

long process_call(call c, const call_args& a) noexcept {
  const int pid = a.as<int>(0);
  switch (c) {
  case call::fork: return fork_to_run(*a.as<const kernel::child_body*>(0), *a.as<kernel*>(1));
  case call::exit: ::_exit(a.as<int>(0));
  case call::waitpid: return ::waitpid(pid, a.as<int*>(1), a.as<int>(2));
  case call::kill: return ::kill(pid, a.as<int>(1));
  case call::pidfd_open: return ::syscall(SYS_pidfd_open, pid, 0);
  case call::getppid: return ::getppid();
  case call::setpgid: return ::setpgid(pid, a.as<int>(1));
  case call::getpgid: return ::getpgid(pid);
  case call::setsid: return ::setsid();
  case call::prctl: return ::prctl(a.as<int>(0), a.word[1], 0, 0, 0);
  default: return errno = ENOSYS, -1;
  }
}

// Of the calling thread, all of them.
long measuring_call(call c, const call_args& a) noexcept {
  switch (c) {
  case call::clock_gettime: return ::clock_gettime(a.as<clockid_t>(0), a.as<timespec*>(1));
  case call::perf_event_open:
    return ::syscall(SYS_perf_event_open, a.word[0], 0, a.as<int>(1), -1, PERF_FLAG_FD_CLOEXEC);
  case call::sched_getaffinity:
    return ::sched_getaffinity(0, a.as<std::size_t>(0), a.as<cpu_set_t*>(1));
  case call::sched_setaffinity:
    return ::sched_setaffinity(0, a.as<std::size_t>(0), a.as<const cpu_set_t*>(1));
  default: return errno = ENOSYS, -1;
  }
}

class linux_kernel final : public kernel {
 public:
  clock::time_point now() noexcept override {
    return clock::time_point(std::chrono::steady_clock::now().time_since_epoch());
  }

  long invoke(call c, const call_args& a) noexcept override {
    // A signal handler may be the first in its thread to come here, and counters of a thread's own
    // take a lock and memory.
    if (own_counters) own_counters->add(c);
    else if (is_for_handlers(c)) count_for_all(c);
    else mine().add(c);
    const long r = perform(c, a);
    return r == -1 ? -static_cast<long>(errno) : r;
  }

 private:
  static long perform(call c, const call_args& a) noexcept;
};

#define I(n) a.as<int>(n)
#define U(n) a.as<unsigned>(n)
#define N(n) a.as<std::size_t>(n)
// NOLINTBEGIN(bugprone-macro-parentheses): these are types
#define P(type, n) a.as<type*>(n)
#define F(n) a.as<fd_set*>(n)
#define A(n) a.as<struct sigaction*>(n)
#define T(n) a.as<const timespec*>(n)
// NOLINTEND(bugprone-macro-parentheses)
// clang-format off
long linux_kernel::perform(call c, const call_args& a) noexcept {
  switch (c) {
    case call::socket: return ::socket(I(0), I(1), I(2));
    case call::bind: return ::bind(I(0), P(const sockaddr, 1), a.as<socklen_t>(2));
    case call::listen: return ::listen(I(0), I(1));
    case call::accept4: return ::accept4(I(0), P(sockaddr, 1), P(socklen_t, 2), I(3));
    case call::connect: return ::connect(I(0), P(const sockaddr, 1), a.as<socklen_t>(2));
    case call::shutdown: return ::shutdown(I(0), I(1));
    case call::socketpair: return ::socketpair(I(0), I(1), I(2), P(int, 3));
    case call::getsockname: return ::getsockname(I(0), P(sockaddr, 1), P(socklen_t, 2));
    case call::getpeername: return ::getpeername(I(0), P(sockaddr, 1), P(socklen_t, 2));
    case call::setsockopt: return ::setsockopt(I(0), I(1), I(2), P(void, 3), a.as<socklen_t>(4));
    case call::getsockopt: return ::getsockopt(I(0), I(1), I(2), P(void, 3), P(socklen_t, 4));
    case call::recv: return ::recv(I(0), P(void, 1), N(2), I(3));
    case call::send: return ::send(I(0), P(const void, 1), N(2), I(3));
    case call::recvfrom: case call::sendto: return transfer_with_address(c, a);
    case call::sendmsg: return ::sendmsg(I(0), P(const msghdr, 1), I(2));
    case call::recvmsg: return ::recvmsg(I(0), P(msghdr, 1), I(2));
    case call::close: return close_once(I(0));
    case call::read: return ::read(I(0), P(void, 1), N(2));
    case call::write: return ::write(I(0), P(const void, 1), N(2));
    case call::fcntl: return ::fcntl(I(0), I(1), a.word[2]);
    case call::ioctl: return ::ioctl(I(0), N(1), P(void, 2));
    case call::dup: return ::fcntl(I(0), F_DUPFD_CLOEXEC, 0);
    case call::dup3: return ::dup3(I(0), I(1), I(2));
    case call::open: case call::lstat: case call::unlink: case call::rename: case call::mkdir:
    case call::rmdir: case call::flock: return name_call(c, a);
    case call::lseek: return ::lseek(I(0), a.word[1], I(2));
    case call::pread: return ::pread(I(0), P(void, 1), N(2), a.word[3]);
    case call::pwrite: return ::pwrite(I(0), P(const void, 1), N(2), a.word[3]);
    case call::fsync: return ::fsync(I(0));
    case call::fstat: return ::fstat(I(0), P(struct stat, 1));
    case call::sendfile: return ::sendfile(I(0), I(1), P(off_t, 2), N(3));
    case call::splice: return ::splice(I(0), P(off_t, 1), I(2), P(off_t, 3), N(4), U(5));
    case call::pipe2: return ::pipe2(P(int, 0), I(1));
    case call::select: return ::select(I(0), F(1), F(2), F(3), P(timeval, 4));
    case call::poll: return ::poll(P(pollfd, 0), N(1), I(2));
    case call::epoll_create1: return ::epoll_create1(I(0));
    case call::epoll_ctl: return ::epoll_ctl(I(0), I(1), I(2), P(epoll_event, 3));
    case call::epoll_wait: return ::epoll_wait(I(0), P(epoll_event, 1), I(2), I(3));
    case call::kqueue: case call::kevent: return errno = ENOSYS, -1;
    case call::eventfd: return ::eventfd(U(0), I(1));
    case call::futex_wait: return futex(P(std::uint32_t, 0), FUTEX_WAIT, a.word[1], T(2));
    case call::futex_wake: return futex(P(std::uint32_t, 0), FUTEX_WAKE, a.word[1], nullptr);
    case call::sched_yield: return ::sched_yield();
    case call::nanosleep: return ::nanosleep(T(0), nullptr);
    case call::sigprocmask: case call::sigtimedwait: case call::sigpending:
      return signal_call(c, a);
    case call::sigaction: return ::sigaction(I(0), A(1), A(2));
    case call::gettid: return ::gettid();
    case call::getpid: return ::getpid();
    case call::aio_read: return ::aio_read(P(aiocb, 0));
    case call::aio_write: return ::aio_write(P(aiocb, 0));
    case call::aio_suspend: return ::aio_suspend(P(const aiocb* const, 0), I(1), T(2));
    case call::aio_error: return ::aio_error(P(const aiocb, 0));
    case call::aio_return: return ::aio_return(P(aiocb, 0));
    case call::aio_fsync: return ::aio_fsync(I(0), P(aiocb, 1));
    case call::io_uring_setup: case call::io_uring_enter: case call::io_uring_register:
      return ring_call(c, a);
    case call::mmap: case call::munmap: case call::madvise: return memory_call(c, a);
    case call::clone: case call::join: case call::detach: return thread_call(c, a);
    case call::fork: case call::exit: case call::waitpid: case call::kill: case call::pidfd_open:
    case call::getppid: case call::setpgid: case call::getpgid: case call::setsid:
    case call::prctl: return process_call(c, a);
    case call::clock_gettime: case call::perf_event_open: case call::sched_getaffinity:
    case call::sched_setaffinity: return measuring_call(c, a);
    case call::getrlimit: return ::getrlimit(a.as<__rlimit_resource>(0), P(rlimit, 1));
  }
  return errno = ENOSYS, -1;
}
// clang-format on
#undef I
#undef U
#undef N
#undef P
#undef F
#undef A
#undef T

}  // namespace

kernel& kernel::real() noexcept {
  static linux_kernel& k = *new linux_kernel;  // threads may outlive static destructors
  return k;
}

call_counts calls_of_thread() noexcept {
  call_counts out{};
  for (std::size_t i = 0; i < call_count; ++i)
    out[i] = mine().count[i].load(std::memory_order_relaxed);
  return out;
}

call_counts calls_of_process() noexcept {
  call_counts out{};
  const std::lock_guard hold(all().lock);
  for (std::size_t i = 0; i < call_count; ++i) {
    out[i] = (*all().ended)[i].load(std::memory_order_relaxed);
    for (const auto* t = all().live; t; t = t->next)
      out[i] += t->count[i].load(std::memory_order_relaxed);
  }
  return out;
}

bool share_call_counts() noexcept {
  if (all().ended != &all().own) return true;
  void* p = ::mmap(nullptr, sizeof(ended_counters), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return false;
  const std::lock_guard hold(all().lock);
  auto* shared = new (p) ended_counters{};
  for (std::size_t i = 0; i < call_count; ++i) (*shared)[i].store(all().own[i].load());
  all().ended = shared;
  return true;
}

}  // namespace iolite
