// What does a fan-out cost on io_uring(7)? What one connection sends goes to all others, and the
// sends are submitted together: one io_uring_enter(2) for thousands. The next message is received
// when this one is with all of them.
#include "ring.h"

#include <stdint.h>

struct connection {
  int fd;
  int place;  // in open_connections
  bool sending;
  unsigned size, outstanding;  // bytes of its message; sends of it
  char buffer[];
};

static struct io_uring ring;
static size_t buffer_bytes;
static struct connection* open_connections[1 << 16];
static int count;

static void receive(struct connection* c) {
  c->sending = false;
  struct io_uring_sqe* sqe = next_sqe(&ring);
  io_uring_prep_recv(sqe, c->fd, c->buffer, buffer_bytes, 0);
  io_uring_sqe_set_data(sqe, c);
}

static void publish(struct connection* from) {
  from->sending = true;
  from->outstanding = (unsigned)count - 1;
  for (int i = 0; i < count; ++i) {
    if (open_connections[i] == from) continue;
    struct io_uring_sqe* sqe = next_sqe(&ring);
    io_uring_prep_send(sqe, open_connections[i]->fd, from->buffer, from->size,
                       MSG_NOSIGNAL | MSG_WAITALL);
    io_uring_sqe_set_data(sqe, from);
  }
  if (from->outstanding == 0) receive(from);
}

// Closed in the order of the ring: sends to it may stand in the queue.
static void end(struct connection* c) {
  open_connections[c->place] = open_connections[--count];
  open_connections[c->place]->place = c->place;
  struct io_uring_sqe* sqe = next_sqe(&ring);
  io_uring_prep_close(sqe, c->fd);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  io_uring_sqe_set_data(sqe, NULL);
  free(c);
}

static void accepted(int listener, const struct io_uring_cqe* cqe) {
  if (cqe->res >= 0) {
    struct connection* c = malloc(sizeof *c + buffer_bytes);
    if (!c) give_up("malloc", ENOMEM);
    c->fd = cqe->res;
    c->place = count;
    open_connections[count++] = c;
    receive(c);
  }
  if (!(cqe->flags & IORING_CQE_F_MORE)) accept_more(&ring, listener);
}

static void completed(struct connection* c, int result) {
  if (c->sending) {
    // A subscriber that is gone is found by its own receive.
    if (--c->outstanding == 0) receive(c);
  } else if (result <= 0) {
    end(c);
  } else {
    c->size = (unsigned)result;
    publish(c);
  }
}

int main(int argc, char** argv) {
  const struct arguments a = read_arguments(argc, argv, knows_fan);
  buffer_bytes = a.buffer_bytes;
  const int listener = listen_at(&a, 0);
  open_ring(&ring);
  accept_more(&ring, listener);
  for (;;) {
    io_uring_submit_and_wait(&ring, 1);
    struct io_uring_cqe* cqe;
    unsigned head, seen = 0;
    io_uring_for_each_cqe(&ring, head, cqe) {
      ++seen;
      struct connection* c = io_uring_cqe_get_data(cqe);
      if (c) completed(c, cqe->res);
      else accepted(listener, cqe);
    }
    io_uring_cq_advance(&ring, seen);
  }
}
