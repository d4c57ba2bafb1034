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

static inline void accept_more(struct io_uring* ring, int listener) {
  struct io_uring_sqe* sqe = next_sqe(ring);
  io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
  io_uring_sqe_set_data64(sqe, 0);
}
