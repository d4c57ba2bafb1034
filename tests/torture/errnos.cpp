// See errnos.hpp. Errors that only a programmer can cause (EFAULT, EBADF, EINVAL, ENOTSOCK) are
// left out, but for those that Linux also gives for lack of a feature.
#include "errnos.hpp"

#include <cerrno>
#include <linux/io_uring.h>

namespace iolite_test {
namespace {

using iolite::call;

constexpr int of_socket[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, EAFNOSUPPORT};
constexpr int of_bind[] = {EADDRINUSE, EACCES, EADDRNOTAVAIL};
constexpr int of_listen[] = {EADDRINUSE};
constexpr int of_accept[] = {EAGAIN,  EINTR,  ECONNABORTED, EMFILE, ENFILE,
                             ENOBUFS, ENOMEM, EPROTO,       EPERM};
constexpr int of_connect[] = {ECONNREFUSED, EINTR,     EADDRNOTAVAIL, EAGAIN,
                              ENETUNREACH,  ETIMEDOUT, EPERM};
constexpr int of_shutdown[] = {ENOTCONN};
constexpr int of_name[] = {ENOBUFS, ENOTCONN};
constexpr int of_option[] = {ENOPROTOOPT, ENOMEM};
constexpr int of_recv[] = {EAGAIN, EINTR, ECONNRESET, ENOMEM, ETIMEDOUT};
constexpr int of_send[] = {EAGAIN, EINTR, ECONNRESET, ENOBUFS, ENOMEM, EPIPE};
constexpr int of_open[] = {EMFILE, ENFILE, EINTR, ENOENT, EACCES, ENOMEM};
constexpr int of_close[] = {EIO};  // never EINTR: see kernel.hpp
constexpr int of_read[] = {EAGAIN, EINTR};
constexpr int of_write[] = {EINTR};  // a wake-up: EAGAIN would mean that one is pending already
constexpr int of_file_read[] = {EIO, EINTR, EAGAIN};
constexpr int of_file_write[] = {EIO, EINTR, ENOSPC, EDQUOT, EFBIG};
constexpr int of_fsync[] = {EIO, ENOSPC, EINTR};
constexpr int of_fstat[] = {ENOMEM, EOVERFLOW};
constexpr int of_sendfile[] = {EAGAIN, EINTR, EIO, EINVAL, ENOMEM, EPIPE, ECONNRESET};
constexpr int of_fcntl[] = {EINVAL, EAGAIN};
constexpr int of_dup[] = {EMFILE};
constexpr int of_lstat[] = {ENOENT, EACCES, ENOMEM};
constexpr int of_flock[] = {EWOULDBLOCK, EINTR, ENOLCK};
constexpr int of_unlink[] = {ENOENT, EACCES, EBUSY};
constexpr int of_new_descriptor[] = {EMFILE, ENFILE, ENOMEM};
constexpr int of_waiting[] = {EINTR, ENOMEM};
constexpr int of_epoll_ctl[] = {ENOMEM, ENOSPC};
constexpr int of_epoll_wait[] = {EINTR};
constexpr int of_futex[] = {EAGAIN, EINTR};
constexpr int of_interrupted[] = {EINTR};
constexpr int of_sigtimedwait[] = {EINTR};  // EAGAIN: no signal is there, and that is never untrue
constexpr int of_aio_start[] = {EAGAIN, ENOSYS};
constexpr int of_aio_suspend[] = {EAGAIN, EINTR};
constexpr int of_ring_setup[] = {EMFILE, ENFILE, ENOMEM, EPERM, EINVAL};
constexpr int of_ring_enter[] = {EAGAIN, EBUSY, EINTR};
constexpr int of_ring_register[] = {EINVAL, ENOMEM, EOPNOTSUPP};
constexpr int of_mmap[] = {ENOMEM, EAGAIN};
constexpr int of_fork[] = {EAGAIN, ENOMEM};
constexpr int of_clone[] = {EAGAIN};  // pthread_create(3)
constexpr int of_waitpid[] = {EINTR};

// io_uring_enter(2): the error of the call it stands for, or of the ring's own.
constexpr int of_accept_done[] = {EINTR,  ECONNABORTED, EMFILE, ENFILE,
                                  ENOMEM, EPROTO,       EPERM,  ECANCELED};
constexpr int of_connect_done[] = {ECONNREFUSED, EINTR, EADDRNOTAVAIL, ENETUNREACH, ETIMEDOUT};
constexpr int of_recv_done[] = {EINTR, ECONNRESET, ENOMEM, ETIMEDOUT, ENOBUFS, ECANCELED};
constexpr int of_send_done[] = {EINTR, ECONNRESET, ENOBUFS, ENOMEM, EPIPE, ECANCELED};
constexpr int of_poll_done[] = {ENOMEM, ECANCELED};
constexpr int of_read_done[] = {EINTR, EAGAIN, EIO, ECANCELED};
constexpr int of_write_done[] = {EINTR, EAGAIN, EIO, ENOSPC, EDQUOT, EFBIG};
constexpr int of_fsync_done[] = {EINTR, EIO, ENOSPC};
constexpr int of_cancel_done[] = {ENOENT, EALREADY};

}  // namespace

std::span<const int> errnos_of(call c) noexcept {
  switch (c) {
  case call::socket:
  case call::socketpair: return of_socket;
  case call::bind: return of_bind;
  case call::listen: return of_listen;
  case call::accept4: return of_accept;
  case call::connect: return of_connect;
  case call::shutdown: return of_shutdown;
  case call::getsockname:
  case call::getpeername: return of_name;
  case call::setsockopt:
  case call::getsockopt: return of_option;
  case call::recv:
  case call::recvfrom: return of_recv;
  case call::send:
  case call::sendto:
  case call::sendmsg: return of_send;
  case call::open: return of_open;
  case call::close: return of_close;
  case call::read: return of_read;
  case call::write: return of_write;
  case call::fcntl: return of_fcntl;
  case call::pread: return of_file_read;
  case call::pwrite: return of_file_write;
  case call::fsync: return of_fsync;
  case call::fstat: return of_fstat;
  case call::sendfile:
  case call::splice: return of_sendfile;
  case call::dup: return of_dup;
  case call::lstat: return of_lstat;
  case call::flock: return of_flock;
  case call::unlink: return of_unlink;
  case call::pipe2:
  case call::epoll_create1:
  case call::kqueue:
  case call::eventfd:
  case call::pidfd_open: return of_new_descriptor;
  case call::select:
  case call::poll:
  case call::kevent: return of_waiting;
  case call::epoll_ctl: return of_epoll_ctl;
  case call::epoll_wait: return of_epoll_wait;
  case call::futex_wait: return of_futex;
  case call::nanosleep: return of_interrupted;
  case call::sigtimedwait: return of_sigtimedwait;
  case call::aio_fsync:
  case call::aio_read:
  case call::aio_write: return of_aio_start;
  case call::aio_suspend: return of_aio_suspend;
  case call::io_uring_setup: return of_ring_setup;
  case call::io_uring_enter: return of_ring_enter;
  case call::io_uring_register: return of_ring_register;
  case call::mmap: return of_mmap;
  case call::fork: return of_fork;
  case call::clone: return of_clone;
  case call::waitpid: return of_waitpid;
  default: return {};
  }
}

std::span<const int> errnos_of_completion(unsigned opcode) noexcept {
  switch (opcode) {
  case IORING_OP_ACCEPT: return of_accept_done;
  case IORING_OP_CONNECT: return of_connect_done;
  case IORING_OP_RECV: return of_recv_done;
  case IORING_OP_SEND: return of_send_done;
  case IORING_OP_POLL_ADD: return of_poll_done;
  case IORING_OP_READ: return of_read_done;
  case IORING_OP_WRITE: return of_write_done;
  case IORING_OP_FSYNC: return of_fsync_done;
  case IORING_OP_ASYNC_CANCEL: return of_cancel_done;
  default: return {};
  }
}

bool can_be_cut(unsigned opcode) noexcept {
  return opcode == IORING_OP_RECV || opcode == IORING_OP_SEND || opcode == IORING_OP_READ ||
         opcode == IORING_OP_WRITE;
}

}  // namespace iolite_test
