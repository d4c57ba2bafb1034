// The only door to the operating system. Engines, pollers and sockets make every system call
// through a `kernel&`, so that a decorator can fail the n-th of them and a simulation can be all of
// them.
//
// One virtual function carries every call: an implementation is one switch, a decorator one
// function, and the typed members below are what the rest of the library sees. Results follow the
// kernel's own convention, >= 0 or -errno, and errno is never used. EINTR comes out as -EINTR:
// whether to go on is the caller's knowledge.
//
// Not in it: memory for the C++ library, and mutexes. These are held for moments only and never in
// a call that waits: the threads of a simulated process take turns on one thread of the system.
#pragma once
#include "iolite/clock.hpp"
#include "kernel/calls.hpp"

#include <csignal>
#include <functional>
#include <memory>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>

struct aiocb;
struct perf_event_attr;
struct epoll_event;
struct ifreq;
struct io_uring_params;
struct rlimit;
struct stat;
struct kevent;

namespace iolite {

// Arguments as the kernel takes them: up to six machine words.
struct call_args {
  long word[6] = {};

  template <class... Words>
  explicit call_args(Words... words) noexcept : word{as_word(words)...} {}

  template <class T>
  [[nodiscard]] T as(std::size_t i) const noexcept {
    if constexpr (std::is_pointer_v<T>) return reinterpret_cast<T>(word[i]);
    else return static_cast<T>(word[i]);
  }

 private:
  template <class T>
  static long as_word(T value) noexcept {
    if constexpr (std::is_pointer_v<T>) return reinterpret_cast<long>(value);
    else return static_cast<long>(value);
  }
};

class kernel {
 public:
  kernel() = default;
  kernel(const kernel&) = delete;
  kernel& operator=(const kernel&) = delete;
  virtual ~kernel() = default;

  // The system this program runs on. Any thread, and also from a signal handler.
  static kernel& real() noexcept;
  // The one that the calling thread runs on: the real one, or in a simulated world its process's.
  static kernel& of_thread() noexcept;

  // Never decreases; starts anywhere.
  [[nodiscard]] virtual clock::time_point now() noexcept = 0;
  virtual long invoke(call c, const call_args& a) noexcept = 0;
  // The one under all decorators: what belongs to the process lives there.
  [[nodiscard]] virtual kernel& undecorated() noexcept { return *this; }

  // What the library keeps as long as the process lives: the helper threads of offload.cpp, which
  // are made when first needed.
  class resident {
   public:
    resident() = default;
    resident(const resident&) = delete;
    resident& operator=(const resident&) = delete;
    virtual ~resident() = default;
    // The process ends: threads end soon. Not called on the real kernel, where they just stop.
    virtual void process_ends() noexcept = 0;
  };
  resident* kept = nullptr;
  // Which signals a simulated process catches: core/signals/caught_signals.hpp.
  std::shared_ptr<void> signals;

  // --- sockets: socket(7) ---
  int socket(int domain, int type, int protocol) noexcept {
    return to_int(call::socket, domain, type, protocol);
  }
  int bind(int fd, const sockaddr* a, socklen_t n) noexcept { return to_int(call::bind, fd, a, n); }
  int listen(int fd, int backlog) noexcept { return to_int(call::listen, fd, backlog); }
  int accept4(int fd, sockaddr* a, socklen_t* n, int flags) noexcept {
    return to_int(call::accept4, fd, a, n, flags);
  }
  int connect(int fd, const sockaddr* a, socklen_t n) noexcept {
    return to_int(call::connect, fd, a, n);
  }
  int shutdown(int fd, int how) noexcept { return to_int(call::shutdown, fd, how); }
  int socketpair(int domain, int type, int* two) noexcept {
    return to_int(call::socketpair, domain, type, 0, two);
  }
  int getsockname(int fd, sockaddr* a, socklen_t* n) noexcept {
    return to_int(call::getsockname, fd, a, n);
  }
  int getpeername(int fd, sockaddr* a, socklen_t* n) noexcept {
    return to_int(call::getpeername, fd, a, n);
  }
  int setsockopt(int fd, int level, int name, const void* v, socklen_t n) noexcept {
    return to_int(call::setsockopt, fd, level, name, v, n);
  }
  int getsockopt(int fd, int level, int name, void* v, socklen_t* n) noexcept {
    return to_int(call::getsockopt, fd, level, name, v, n);
  }
  long recv(int fd, void* p, std::size_t n, int flags) noexcept {
    return word(call::recv, fd, p, n, flags);
  }
  long send(int fd, const void* p, std::size_t n, int flags) noexcept {
    return word(call::send, fd, p, n, flags);
  }
  long recvfrom(int fd, void* p, std::size_t n, int flags, sockaddr* a, socklen_t* bytes) noexcept {
    return word(call::recvfrom, fd, p, n, flags, a, bytes);
  }
  long sendto(int fd, const void* p, std::size_t n, int flags, const sockaddr* a,
              socklen_t bytes) noexcept {
    return word(call::sendto, fd, p, n, flags, a, bytes);
  }
  long sendmsg(int fd, const msghdr* m, int flags) noexcept {
    return word(call::sendmsg, fd, m, flags);
  }
  long recvmsg(int fd, msghdr* m, int flags) noexcept { return word(call::recvmsg, fd, m, flags); }

  // --- descriptors ---
  int open(const char* path, int flags, unsigned mode = 0) noexcept {
    return to_int(call::open, path, flags, mode);
  }
  // Always gives the number back, also when it reports an error: see close(2). Never -EINTR.
  int close(int fd) noexcept { return to_int(call::close, fd); }
  long read(int fd, void* p, std::size_t n) noexcept { return word(call::read, fd, p, n); }
  long write(int fd, const void* p, std::size_t n) noexcept { return word(call::write, fd, p, n); }
  int fcntl(int fd, int command, long argument = 0) noexcept {
    return to_int(call::fcntl, fd, command, argument);
  }
  // FIONREAD: how many bytes a receive would find. tcp(7), unix(7).
  int bytes_arrived(int fd, int* n) noexcept { return to_int(call::ioctl, fd, FIONREAD, n); }
  // SIOCGIFINDEX: the number of a network interface, asked on any socket. netdevice(7).
  int interface_index(int fd, ifreq* r) noexcept {
    return to_int(call::ioctl, fd, SIOCGIFINDEX, r);
  }
  // SIOCOUTQ: how many bytes the peer has not acknowledged. tcp(7).
  int bytes_unsent(int fd, int* n) noexcept { return to_int(call::ioctl, fd, TIOCOUTQ, n); }
  int dup(int fd) noexcept { return to_int(call::dup, fd); }  // close-on-exec
  int dup3(int fd, int onto, int flags) noexcept { return to_int(call::dup3, fd, onto, flags); }
  int pipe2(int* two, int flags) noexcept { return to_int(call::pipe2, two, flags); }

  // --- files ---
  long lseek(int fd, off_t by, int from) noexcept { return word(call::lseek, fd, by, from); }
  long pread(int fd, void* p, std::size_t n, off_t at) noexcept {
    return word(call::pread, fd, p, n, at);
  }
  long pwrite(int fd, const void* p, std::size_t n, off_t at) noexcept {
    return word(call::pwrite, fd, p, n, at);
  }
  int fsync(int fd) noexcept { return to_int(call::fsync, fd); }
  int fstat(int fd, struct stat* out) noexcept { return to_int(call::fstat, fd, out); }
  int flock(int fd, int operation) noexcept { return to_int(call::flock, fd, operation); }
  // These two raise SIGPIPE where send(2) can be told not to.
  long sendfile(int to, int from, off_t* at, std::size_t n) noexcept {
    return word(call::sendfile, to, from, at, n);
  }
  long splice(int from, off_t* from_at, int to, off_t* to_at, std::size_t n,
              unsigned flags) noexcept {
    return word(call::splice, from, from_at, to, to_at, n, flags);
  }

  // --- paths ---
  int lstat(const char* path, struct stat* out) noexcept { return to_int(call::lstat, path, out); }
  int unlink(const char* path) noexcept { return to_int(call::unlink, path); }
  int rename(const char* from, const char* to) noexcept { return to_int(call::rename, from, to); }
  int mkdir(const char* path, unsigned mode) noexcept { return to_int(call::mkdir, path, mode); }
  int rmdir(const char* path) noexcept { return to_int(call::rmdir, path); }

  // --- readiness: select(2), poll(2), epoll(7), kqueue(2). Milliseconds, < 0: for ever ---
  int select(int n, fd_set* r, fd_set* w, fd_set* x, timeval* t) noexcept {
    return to_int(call::select, n, r, w, x, t);
  }
  int poll(pollfd* fds, std::size_t n, int ms) noexcept { return to_int(call::poll, fds, n, ms); }
  int epoll_create1(int flags) noexcept { return to_int(call::epoll_create1, flags); }
  int epoll_ctl(int ep, int op, int fd, epoll_event* e) noexcept {
    return to_int(call::epoll_ctl, ep, op, fd, e);
  }
  int epoll_wait(int ep, epoll_event* out, int max, int ms) noexcept {
    return to_int(call::epoll_wait, ep, out, max, ms);
  }
  int kqueue() noexcept { return to_int(call::kqueue); }
  int kevent(int kq, const struct kevent* in, int n, struct kevent* out, int max,
             const timespec* t) noexcept {
    return to_int(call::kevent, kq, in, n, out, max, t);
  }

  // --- waking and waiting ---
  int eventfd(unsigned count, int flags) noexcept { return to_int(call::eventfd, count, flags); }
  // Sleeps while *p == expected; -ETIMEDOUT after `t` (relative; null: for ever). futex(2),
  // private.
  int futex_wait(std::uint32_t* p, std::uint32_t expected, const timespec* t) noexcept {
    return to_int(call::futex_wait, p, expected, t);
  }
  int futex_wake(std::uint32_t* p, int waiters) noexcept {
    return to_int(call::futex_wake, p, waiters);
  }
  int sched_yield() noexcept { return to_int(call::sched_yield); }
  int nanosleep(const timespec* t) noexcept { return to_int(call::nanosleep, t); }

  // --- signals: signal(7). The mask is the calling thread's ---
  int sigprocmask(int how, const sigset_t* set, sigset_t* old) noexcept {
    return to_int(call::sigprocmask, how, set, old);
  }
  int sigtimedwait(const sigset_t* set, siginfo_t* out, const timespec* t) noexcept {
    return to_int(call::sigtimedwait, set, out, t);
  }
  // Those that wait, blocked, for this thread or for the process.
  int sigpending(sigset_t* out) noexcept { return to_int(call::sigpending, out); }
  int sigaction(int number, const struct sigaction* act, struct sigaction* old) noexcept {
    return to_int(call::sigaction, number, act, old);
  }
  int gettid() noexcept { return to_int(call::gettid); }
  int getpid() noexcept { return to_int(call::getpid); }

  // --- POSIX asynchronous I/O: aio(7). aio_error gives EINPROGRESS, 0, or a positive error ---
  int aio_read(aiocb* c) noexcept { return to_int(call::aio_read, c); }
  int aio_write(aiocb* c) noexcept { return to_int(call::aio_write, c); }
  int aio_fsync(int how, aiocb* c) noexcept { return to_int(call::aio_fsync, how, c); }
  int aio_suspend(const aiocb* const* list, int n, const timespec* t) noexcept {
    return to_int(call::aio_suspend, list, n, t);
  }
  int aio_error(const aiocb* c) noexcept { return to_int(call::aio_error, c); }
  long aio_return(aiocb* c) noexcept { return word(call::aio_return, c); }

  // --- io_uring(7), and the memory its rings are shared in ---
  int io_uring_setup(unsigned entries, io_uring_params* p) noexcept {
    return to_int(call::io_uring_setup, entries, p);
  }
  int io_uring_enter(int fd, unsigned submit, unsigned complete, unsigned flags, const void* arg,
                     std::size_t n) noexcept {
    return to_int(call::io_uring_enter, fd, submit, complete, flags, arg, n);
  }
  int io_uring_register(int fd, unsigned op, const void* arg, unsigned n) noexcept {
    return to_int(call::io_uring_register, fd, op, arg, n);
  }
  // The address, or -errno: see is_address().
  long mmap(std::size_t n, int protection, int flags, int fd, long offset) noexcept {
    return word(call::mmap, n, protection, flags, fd, offset);
  }
  // Addresses are never in the top page.
  [[nodiscard]] static constexpr bool is_address(long r) noexcept { return r >= 0 || r < -4095; }
  int madvise(void* p, std::size_t n, int advice) noexcept {
    return to_int(call::madvise, p, n, advice);
  }
  int munmap(void* p, std::size_t n) noexcept { return to_int(call::munmap, p, n); }

  // --- threads: see thread.hpp. The number of a new one, to be given back once, or -errno ---
  long clone(void* (*enter)(void*), void* argument) noexcept {
    return word(call::clone, enter, argument);
  }
  int join(long thread) noexcept { return to_int(call::join, thread); }
  int detach(long thread) noexcept { return to_int(call::detach, thread); }

  // --- processes ---
  // The child runs `body` on its kernel and ends with the status that gives; it has nothing else of
  // this program to run. In a simulated world, where no memory is copied, it runs a copy of `body`.
  // fork(2).
  using child_body = std::function<int(kernel&)>;
  int fork(const child_body& body) noexcept { return to_int(call::fork, &body, this); }
  // _exit(2), also from a signal handler. In a simulated world it returns when the world is taken
  // down: nothing is to be done after it.
  void exit(int status) noexcept { to_int(call::exit, status); }
  int waitpid(int pid, int* status, int options) noexcept {
    return to_int(call::waitpid, pid, status, options);
  }
  int kill(int pid, int number) noexcept { return to_int(call::kill, pid, number); }
  int pidfd_open(int pid) noexcept { return to_int(call::pidfd_open, pid); }
  int getppid() noexcept { return to_int(call::getppid); }
  int setpgid(int pid, int group) noexcept { return to_int(call::setpgid, pid, group); }
  int getpgid(int pid) noexcept { return to_int(call::getpgid, pid); }
  int setsid() noexcept { return to_int(call::setsid); }
  int prctl(int option, long argument) noexcept { return to_int(call::prctl, option, argument); }
  int getrlimit(int resource, rlimit* out) noexcept {
    return to_int(call::getrlimit, resource, out);
  }

  // --- measuring: clocks of threads, perf_event_open(2), cpuset(7) ---
  int clock_gettime(clockid_t which, timespec* out) noexcept {
    return to_int(call::clock_gettime, which, out);
  }
  // Of the calling thread and those it will make, while they are on `cpu`; close-on-exec.
  int perf_event_open(const perf_event_attr* a, int cpu) noexcept {
    return to_int(call::perf_event_open, a, cpu);
  }
  int perf_ioctl(int fd, unsigned long request, long argument) noexcept {
    return to_int(call::ioctl, fd, request, argument);
  }
  // Of the calling thread.
  int sched_getaffinity(std::size_t n, cpu_set_t* out) noexcept {
    return to_int(call::sched_getaffinity, n, out);
  }
  int sched_setaffinity(std::size_t n, const cpu_set_t* set) noexcept {
    return to_int(call::sched_setaffinity, n, set);
  }

 private:
  template <class... A>
  long word(call c, A... a) noexcept {
    return invoke(c, call_args(a...));
  }
  template <class... A>
  int to_int(call c, A... a) noexcept {
    return static_cast<int>(invoke(c, call_args(a...)));
  }
};

}  // namespace iolite
