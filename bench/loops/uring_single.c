// What does io_uring(7) cost with single-shot receives? The next receive is submitted after the
// send's completion, and late: each turn submits a quarter of those that are due, the longest due
// first. Meanwhile the next request comes, the receive finds it, and no poll is armed inside the
// kernel (0.001 to 0.005 for each request; 0.7 to 0.9 when all go at once). With --threads a ring
// and a listener in each.
#include "ring.h"

struct connection {
  int fd;
  bool sending;
  unsigned size, done;
  struct connection* next_due;
  char buffer[];
};

static size_t buffer_bytes;

// Of each thread.
static _Thread_local struct io_uring ring;
static _Thread_local struct connection *first_due, *last_due;
static _Thread_local unsigned due_count;

static void receive(struct connection* c) {
  c->sending = false;
  struct io_uring_sqe* sqe = next_sqe(&ring);
  io_uring_prep_recv(sqe, c->fd, c->buffer, buffer_bytes, 0);
  io_uring_sqe_set_data(sqe, c);
}

static void receive_later(struct connection* c) {
  c->next_due = NULL;
  if (first_due) last_due->next_due = c;
  else first_due = c;
  last_due = c;
  ++due_count;
}

static void receive_some(void) {
  for (unsigned n = (due_count + 3) / 4; n > 0; --n) {
    struct connection* c = first_due;
    first_due = c->next_due;
    --due_count;
    receive(c);
  }
}

static void send_rest(struct connection* c) {
  c->sending = true;
  struct io_uring_sqe* sqe = next_sqe(&ring);
  io_uring_prep_send(sqe, c->fd, c->buffer + c->done, c->size - c->done, MSG_NOSIGNAL);
  io_uring_sqe_set_data(sqe, c);
}

static void end(struct connection* c) {
  close(c->fd);
  free(c);
}

static void accepted(int listener, const struct io_uring_cqe* cqe) {
  if (cqe->res >= 0) {
    struct connection* c = malloc(sizeof *c + buffer_bytes);
    if (!c) give_up("malloc", ENOMEM);
    c->fd = cqe->res;
    receive(c);
  }
  if (!(cqe->flags & IORING_CQE_F_MORE)) accept_more(&ring, listener);
}

static void completed(struct connection* c, int result) {
  if (result <= 0) {
    end(c);
  } else if (!c->sending) {
    c->size = (unsigned)result;
    c->done = 0;
    send_rest(c);
  } else {
    c->done += (unsigned)result;
    if (c->done < c->size) send_rest(c);
    else receive_later(c);
  }
}

static void* run(void* argument) {
  const int listener = (int)(intptr_t)argument;
  open_ring(&ring);
  accept_more(&ring, listener);
  for (;;) {
    receive_some();
    // Not submit_and_wait(0): that does not look for what has come, and whose receive found nothing
    // would starve.
    if (due_count > 0) io_uring_submit_and_get_events(&ring);
    else io_uring_submit_and_wait(&ring, 1);
    struct io_uring_cqe* cqe;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&ring, head, cqe) {
      ++count;
      struct connection* c = io_uring_cqe_get_data(cqe);
      if (c) completed(c, cqe->res);
      else accepted(listener, cqe);
    }
    io_uring_cq_advance(&ring, count);
  }
  return NULL;
}

int main(int argc, char** argv) {
  const struct arguments a = read_arguments(argc, argv, knows_threads);
  buffer_bytes = a.buffer_bytes;
  run_each(&a, 0, run);
}
