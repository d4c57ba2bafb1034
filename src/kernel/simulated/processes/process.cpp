// See process.hpp: which call is done where, and the calls on descriptors.
#include "kernel/simulated/processes/process.hpp"

#include "kernel/simulated/descriptors/epoll_set.hpp"
#include "kernel/simulated/descriptors/small_files.hpp"
#include "kernel/simulated/ring/ring_file.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>

namespace iolite::simulated {
namespace {

// Does the first argument name a descriptor, which the trace shows?
bool is_on_descriptor(call c) noexcept {
  switch (c) {
  case call::bind:
  case call::listen:
  case call::accept4:
  case call::connect:
  case call::shutdown:
  case call::getsockname:
  case call::getpeername:
  case call::setsockopt:
  case call::getsockopt:
  case call::recv:
  case call::send:
  case call::recvfrom:
  case call::sendto:
  case call::sendmsg:
  case call::ioctl:
  case call::close:
  case call::read:
  case call::write:
  case call::fcntl:
  case call::dup:
  case call::dup3:
  case call::lseek:
  case call::pread:
  case call::pwrite:
  case call::fsync:
  case call::fstat:
  case call::flock:
  case call::sendfile:
  case call::splice:
  case call::epoll_ctl:
  case call::epoll_wait:
  case call::io_uring_enter:
  case call::io_uring_register: return true;
  default: return false;
  }
}

}  // namespace

void stop(const char* why) noexcept {
  std::fprintf(stderr, "iolite: %s\n", why);  // tidy: allow output, the program ends here
  std::abort();
}

clock::time_point process::now() noexcept {
  site_.world.time.pass(clock_cost);
  return clock_time();
}

long process::invoke(call c, const call_args& a) noexcept {
  machine& w = site_.world;
  if (!w.turns.is_mine()) {
    stop("a thread of the system makes a system call in a simulated world, where all threads are "
         "simulated ones: scope, offload() and serve() start such");
  }
  w.awake = &site_;
  w.time.pass(call_cost);
  w.time.run_due();
  stand_still();  // what was due may have ended it
  w.awake = &site_;
  const long r = perform(c, a);
  const bool address = c == call::mmap && (r >= 0 || r < -4095);
  w.trace.called(w.time.elapsed(), site_.number, c,
                 is_on_descriptor(c) ? a.word[0] : trace_log::none, address ? 0 : r);
  run_handlers();
  stand_still();  // it has ended itself
  return r;
}

std::string process::describe(int fd) const {
  const file* const f = files_.find(fd);
  return f ? f->describe() : "a descriptor that is not open";
}

long process::perform(call c, const call_args& a) {
  switch (c) {
  case call::poll: return poll(a.as<pollfd*>(0), a.as<std::size_t>(1), a.as<int>(2));
  case call::select: return select(a);
  case call::epoll_create1:
    return files_.add(std::make_shared<epoll_set>(site_), (a.word[0] & O_CLOEXEC) != 0);
  case call::epoll_ctl:
    return epoll_control(a.as<int>(0), a.as<int>(1), a.as<int>(2), a.as<const epoll_event*>(3));
  case call::epoll_wait:
    return epoll_wait(a.as<int>(0), a.as<epoll_event*>(1), a.as<int>(2), a.as<int>(3));
  case call::io_uring_setup: return ring_setup(a.as<unsigned>(0), a.as<io_uring_params*>(1));
  case call::io_uring_enter: return ring_enter(a);
  case call::io_uring_register: {
    const auto ring = std::dynamic_pointer_cast<ring_file>(files_.share(a.as<int>(0)));
    if (!ring) return files_.find(a.as<int>(0)) ? -EOPNOTSUPP : -EBADF;
    return ring->configure(a.as<unsigned>(1), a.as<const void*>(2), a.as<unsigned>(3));
  }
  case call::nanosleep: return sleep(a.as<const timespec*>(0));
  case call::sched_yield: return yield();
  case call::futex_wait:
    return futex(a.as<std::uint32_t*>(0), a.as<std::uint32_t>(1), a.as<const timespec*>(2));
  case call::futex_wake: return ++site_.version, 0;
  case call::clone:
  case call::join:
  case call::detach: return thread_call(c, a);
  case call::recv:
  case call::send:
  case call::recvfrom:
  case call::sendto:
  case call::read:
  case call::write: return transfer(c, a);
  case call::sendmsg: return send_gathered(a);
  case call::socket:
  case call::socketpair:
  case call::bind:
  case call::listen:
  case call::accept4:
  case call::connect:
  case call::shutdown:
  case call::getsockname:
  case call::getpeername:
  case call::setsockopt:
  case call::getsockopt:
  case call::ioctl: return socket_call(c, a);
  case call::lstat:
  case call::unlink:
  case call::rename:
  case call::mkdir:
  case call::rmdir: return path_call(c, a);
  case call::open:
  case call::lseek:
  case call::pread:
  case call::pwrite:
  case call::fsync:
  case call::fstat:
  case call::flock:
  case call::sendfile:
  case call::splice: return file_call(c, a);
  case call::aio_read:
  case call::aio_write:
  case call::aio_fsync:
  case call::aio_suspend:
  case call::aio_error:
  case call::aio_return: return aio_call(c, a);
  default: return descriptor_call(c, a);
  }
}

// --- descriptors, and the rest ---

long process::new_pipe(int* two, int flags) {
  if (!files_.has_room(2)) return -EMFILE;
  const std::array ends = {std::make_shared<pipe_end>(site_, true),
                           std::make_shared<pipe_end>(site_, false)};
  pipe_end::join(ends[0], ends[1]);
  for (std::size_t i = 0; i < 2; ++i) {
    ends[i]->status_flags = (i == 0 ? O_RDONLY : O_WRONLY) | (flags & O_NONBLOCK);
    two[i] = files_.add(ends[i], (flags & O_CLOEXEC) != 0);
  }
  return 0;
}

long process::control(int fd, int command, long argument) {
  const auto f = files_.share(fd);
  if (!f) return -EBADF;
  constexpr int changeable = O_NONBLOCK | O_APPEND;
  switch (command) {
  case F_GETFL: return f->status_flags;
  case F_SETFL:
    f->status_flags = (f->status_flags & ~changeable) | (static_cast<int>(argument) & changeable);
    return f->set_async((argument & O_ASYNC) != 0, fd);
  case F_SETOWN_EX:
  case F_GETOWN_EX:
  case F_SETSIG:
  case F_GETSIG: return own(*f, command, argument);
  case F_GETFD: return files_[fd].close_on_exec ? FD_CLOEXEC : 0;
  case F_SETFD: return files_[fd].close_on_exec = (argument & FD_CLOEXEC) != 0, 0;
  case F_DUPFD:
  case F_DUPFD_CLOEXEC:
    return files_.add(f, command == F_DUPFD_CLOEXEC, static_cast<int>(argument));
  default: return -EINVAL;
  }
}

rlim_t process::limit_of(int resource) const noexcept {
  switch (resource) {
  case RLIMIT_NOFILE: return static_cast<rlim_t>(files_.limit());
  case RLIMIT_SIGPENDING: return site_.signals.queue_max;
  default: return RLIM_INFINITY;
  }
}

// Memory is memory; that of a ring is the ring's.
long process::map(const call_args& a) {
  const auto fd = a.as<int>(3);
  if (fd < 0) {
    const long at = kernel::real().invoke(call::mmap, a);
    const bool failed = at < 0 && at > -4096;
    if (!failed && (a.as<int>(2) & MAP_SHARED) != 0) {
      ancestor_->shared_memory_.emplace_back(at, a.as<std::size_t>(0));
    }
    return at;
  }
  const auto ring = std::dynamic_pointer_cast<ring_file>(files_.share(fd));
  if (!ring) return files_.find(fd) ? -ENODEV : -EBADF;
  auto memory = ring->map(a.as<std::size_t>(0), a.word[4]);
  if (!memory) return -EINVAL;
  mapped_.push_back(std::move(memory));
  return reinterpret_cast<long>(mapped_.back().get());
}

long process::unmap(const call_args& a) {
  // Others have it yet.
  const auto is_this = [&](const auto& m) { return m.first == a.word[0]; };
  if (std::ranges::any_of(ancestor_->shared_memory_, is_this)) return 0;
  const auto it =
      std::ranges::find(mapped_, a.as<std::byte*>(0), &std::shared_ptr<std::byte[]>::get);
  if (it == mapped_.end()) return kernel::real().invoke(call::munmap, a);
  mapped_.erase(it);
  return 0;
}

long process::descriptor_call(call c, const call_args& a) {
  switch (c) {
  case call::close: return files_.close(a.as<int>(0));
  case call::fcntl: return control(a.as<int>(0), a.as<int>(1), a.word[2]);
  case call::dup: return control(a.as<int>(0), F_DUPFD_CLOEXEC, 0);
  case call::dup3: {
    const auto f = files_.share(a.as<int>(0));
    if (!f) return -EBADF;
    if (a.word[0] == a.word[1]) return -EINVAL;
    return files_.replace(a.as<int>(1), f, (a.word[2] & O_CLOEXEC) != 0);
  }
  case call::pipe2: return new_pipe(a.as<int*>(0), a.as<int>(1));
  case call::eventfd: {
    const auto flags = a.as<int>(1);
    const auto f =
        std::make_shared<event_file>(site_, a.as<unsigned>(0), (flags & EFD_SEMAPHORE) != 0);
    f->status_flags = O_RDWR | (flags & EFD_NONBLOCK);
    return files_.add(f, (flags & EFD_CLOEXEC) != 0);
  }
  case call::gettid: return site_.signals.thread_id();
  case call::getrlimit: {
    auto* const out = a.as<rlimit*>(1);
    out->rlim_cur = out->rlim_max = limit_of(a.as<int>(0));
    return 0;
  }
  case call::sigprocmask:
    return site_.signals.mask(a.as<int>(0), a.as<const sigset_t*>(1), a.as<sigset_t*>(2));
  case call::sigaction:
    return site_.signals.action(a.as<int>(0), a.as<const struct sigaction*>(1),
                                a.as<struct sigaction*>(2));
  case call::sigpending: *a.as<sigset_t*>(0) = site_.signals.pending(); return 0;
  case call::sigtimedwait:
    return wait_for_signal(*a.as<const sigset_t*>(0), a.as<siginfo_t*>(1),
                           a.as<const timespec*>(2));
  case call::mmap: return map(a);
  case call::munmap: return unmap(a);
  case call::madvise: return kernel::real().invoke(c, a);
  default: return process_call(c, a);
  }
}

}  // namespace iolite::simulated
