// What does io_uring(7) cost with single-shot receives? The next receive is submitted after the
// send's completion: by then the next request has often come, and no poll is armed inside the
// kernel.
#include "ring.h"

#include <stdbool.h>

struct connection {
  int fd;
  bool sending;
  unsigned size, done;
  char buffer[buffer_bytes];
};

static struct io_uring ring;

static void accept_more(int listener) {
  struct io_uring_sqe* sqe = next_sqe(&ring);
  io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
  io_uring_sqe_set_data(sqe, NULL);
}

static void receive(struct connection* c) {
  c->sending = false;
  struct io_uring_sqe* sqe = next_sqe(&ring);
  io_uring_prep_recv(sqe, c->fd, c->buffer, sizeof c->buffer, 0);
  io_uring_sqe_set_data(sqe, c);
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
    struct connection* c = malloc(sizeof *c);
    if (!c) give_up("malloc", ENOMEM);
    c->fd = cqe->res;
    receive(c);
  }
  if (!(cqe->flags & IORING_CQE_F_MORE)) accept_more(listener);
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
    else receive(c);
  }
}

int main(int argc, char** argv) {
  const int listener = listen_at(argc, argv, 0);
  open_ring(&ring);
  accept_more(listener);
  for (;;) {
    io_uring_submit_and_wait(&ring, 1);
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
}
