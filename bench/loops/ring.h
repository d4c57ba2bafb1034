// The ring of the io_uring loops: the flags that the measurements in bench/README.md are about.
#pragma once
#include "listening.h"

#include <liburing.h>

enum { ring_entries = 4096 };

// DEFER_TASKRUN: completions are made when we enter, not by interrupting (Linux 6.1).
static inline void open_ring(struct io_uring* ring) {
  const int r = io_uring_queue_init(ring_entries, ring,
                                    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                        IORING_SETUP_CLAMP);
  if (r < 0) give_up("io_uring_queue_init (DEFER_TASKRUN needs Linux 6.1)", -r);
  io_uring_register_ring_fd(ring);
}

// A full queue is handed over first.
static inline struct io_uring_sqe* next_sqe(struct io_uring* ring) {
  struct io_uring_sqe* sqe = io_uring_get_sqe(ring);
  while (!sqe) {
    io_uring_submit(ring);
    sqe = io_uring_get_sqe(ring);
  }
  return sqe;
}

// What a gathering send is told. The kernel has taken it over once it is submitted
// (IORING_FEAT_SUBMIT_STABLE), so none is kept for each connection.
enum { gather_max = 16 };
struct gathered {
  struct msghdr message;
  struct iovec parts[gather_max];
};

// For one send of this turn.
static inline struct gathered* next_gathered(struct io_uring* ring) {
  static struct gathered all[ring_entries];
  static unsigned next;
  if (next == ring_entries) io_uring_submit(ring);
  if (io_uring_sq_ready(ring) == 0) next = 0;
  return &all[next++];
}

// Sends `count` parts on `fd`.
static inline struct io_uring_sqe* send_parts(struct io_uring* ring, int fd, struct gathered* g,
                                              size_t count) {
  struct io_uring_sqe* sqe = next_sqe(ring);
  if (count == 1) {
    io_uring_prep_send(sqe, fd, g->parts[0].iov_base, g->parts[0].iov_len, MSG_NOSIGNAL);
    return sqe;
  }
  memset(&g->message, 0, sizeof g->message);
  g->message.msg_iov = g->parts;
  g->message.msg_iovlen = count;
  io_uring_prep_sendmsg(sqe, fd, &g->message, MSG_NOSIGNAL);
  return sqe;
}

static inline void accept_more(struct io_uring* ring, int listener) {
  struct io_uring_sqe* sqe = next_sqe(ring);
  io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
  io_uring_sqe_set_data64(sqe, 0);
}
