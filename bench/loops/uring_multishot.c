// What does io_uring(7) cost in its documented best practice? Multishot accept, multishot receive
// into a ring of provided buffers (io_uring_setup_buf_ring(3)), all that has come for a connection
// gathered into one send, DEFER_TASKRUN.
#include "ring.h"

#include <stdbool.h>
#include <stdint.h>

// The ring of buffers is used in order, and all of it should stay in the cache: 256 of 4 KiB. With
// fewer than 64 it is often empty.
enum { buffers_max = 256, buffers_min = 64, group = 0, none = -1 };
enum { memory_bytes = 1 << 20 };
enum tag { tag_receive = 0, tag_send = 1, tag_mask = 1 };  // in the low bits of the address

struct connection {
  int fd;
  bool receiving, starved, ended;  // a receive is armed; it found no buffer; close when sent
  int first, last;  // received buffers in order, through next_of
  int sending;  // how many of them are being sent
};

static struct io_uring ring;
static struct io_uring_buf_ring* provided;
static unsigned buffers, buffer_bytes;
static char* memory;  // of all of them
static int next_of[buffers_max];
static unsigned bytes_in[buffers_max], sent_of[buffers_max];
static struct connection* last_touched;

static char* buffer_at(int id) { return memory + (size_t)id * buffer_bytes; }

static void give_back(int id) {
  io_uring_buf_ring_add(provided, buffer_at(id), buffer_bytes, (unsigned short)id,
                        io_uring_buf_ring_mask(buffers), 0);
  io_uring_buf_ring_advance(provided, 1);
}

static void make_buffers(size_t bytes) {
  buffer_bytes = (unsigned)bytes;
  for (buffers = buffers_max; buffers > buffers_min && buffers * bytes > memory_bytes;)
    buffers /= 2;
  memory = malloc(buffers * bytes);
  if (!memory) give_up("malloc", ENOMEM);
  if (posix_memalign((void**)&provided, 4096, buffers * sizeof(struct io_uring_buf)) != 0)
    give_up("posix_memalign", ENOMEM);
  io_uring_buf_ring_init(provided);
  struct io_uring_buf_reg reg = {
      .ring_addr = (uintptr_t)provided, .ring_entries = buffers, .bgid = group};
  const int r = io_uring_register_buf_ring(&ring, &reg, 0);
  if (r < 0) give_up("io_uring_register_buf_ring", -r);
  for (unsigned i = 0; i < buffers; ++i) give_back((int)i);
}

static void receive(struct connection* c) {
  c->receiving = true;
  struct io_uring_sqe* sqe = next_sqe(&ring);
  io_uring_prep_recv_multishot(sqe, c->fd, NULL, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = group;
  io_uring_sqe_set_data64(sqe, (uintptr_t)c | tag_receive);
}

static void send_waiting(struct connection* c) {
  struct gathered* g = next_gathered(&ring);
  c->sending = 0;
  for (int id = c->first; id != none && c->sending < gather_max; id = next_of[id])
    g->parts[c->sending++] =
        (struct iovec){buffer_at(id) + sent_of[id], bytes_in[id] - sent_of[id]};
  io_uring_sqe_set_data64(send_parts(&ring, c->fd, g, (size_t)c->sending), (uintptr_t)c | tag_send);
}

static void go_on(struct connection* c) {
  // Buffers have come back meanwhile, or will while this receive goes round.
  if (c->starved && !c->ended) receive(c);
  c->starved = false;
  if (c->sending > 0) return;
  if (c->first != none) {
    send_waiting(c);
  } else if (c->ended && !c->receiving) {
    close(c->fd);
    free(c);
  }
}

// Something has happened to `c`. It goes on when the next completion is another's: what has come
// for one connection stands together, and goes out in one send.
static void touch(struct connection* c) {
  struct connection* before = last_touched;
  last_touched = c;
  if (before && before != c) go_on(before);
}

static void received(struct connection* c, const struct io_uring_cqe* cqe) {
  c->receiving = (cqe->flags & IORING_CQE_F_MORE) != 0;
  if (cqe->flags & IORING_CQE_F_BUFFER) {
    const int id = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
    bytes_in[id] = (unsigned)cqe->res;
    sent_of[id] = 0;
    next_of[id] = none;
    *(c->first == none ? &c->first : &next_of[c->last]) = id;
    c->last = id;
  }
  if (cqe->res == -ENOBUFS) {
    c->starved = true;
  } else if (cqe->res <= 0) {
    c->ended = true;
  } else if (!c->receiving) {
    receive(c);
  }
  touch(c);
}

// Gives the buffers back that have gone out whole.
static void sent(struct connection* c, int result) {
  c->sending = 0;
  if (result < 0) shutdown(c->fd, SHUT_RD), c->ended = true;
  unsigned left = result < 0 ? UINT32_MAX : (unsigned)result;
  while (c->first != none && (left > 0 || result < 0)) {
    const int id = c->first;
    const unsigned size = bytes_in[id] - sent_of[id];
    if (left < size) {
      sent_of[id] += left;
      break;
    }
    left -= size;
    c->first = next_of[id];
    give_back(id);
  }
  touch(c);
}

static void accepted(int listener, const struct io_uring_cqe* cqe) {
  if (cqe->res >= 0) {
    struct connection* c = calloc(1, sizeof *c);
    if (!c) give_up("calloc", ENOMEM);
    c->fd = cqe->res;
    c->first = none;
    receive(c);
  }
  if (!(cqe->flags & IORING_CQE_F_MORE)) accept_more(&ring, listener);
}

int main(int argc, char** argv) {
  const struct arguments a = read_arguments(argc, argv, 0);
  const int listener = listen_at(&a, 0);
  open_ring(&ring);
  make_buffers(a.buffer_bytes);
  accept_more(&ring, listener);
  for (;;) {
    io_uring_submit_and_wait(&ring, 1);
    struct io_uring_cqe* cqe;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&ring, head, cqe) {
      ++count;
      struct connection* c = (struct connection*)(uintptr_t)(cqe->user_data & ~(uint64_t)tag_mask);
      if (!c) accepted(listener, cqe);
      else if ((cqe->user_data & tag_mask) == tag_send) sent(c, cqe->res);
      else received(c, cqe);
    }
    io_uring_cq_advance(&ring, count);
    touch(NULL);
  }
}
