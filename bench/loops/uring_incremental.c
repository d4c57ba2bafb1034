// What does io_uring(7) cost with few large buffers that the kernel fills in parts
// (IOU_PBUF_RING_INC, Linux 6.12)? Multishot receives; what came for a connection side by side in a
// buffer is one span, and all spans that wait go out in one send.
#include "ring.h"

#include <stdint.h>

#ifdef IOU_PBUF_RING_INC
static void fill_incrementally(struct io_uring_buf_reg* reg) { reg->flags = IOU_PBUF_RING_INC; }
#else  // liburing before 2.8: the field had no name yet
enum { IOU_PBUF_RING_INC = 2, IORING_CQE_F_BUF_MORE = 1 << 4 };
static void fill_incrementally(struct io_uring_buf_reg* reg) { reg->pad = IOU_PBUF_RING_INC; }
#endif

enum { buffers_max = 256, buffers_min = 16, group = 0, memory_bytes = 1 << 20 };
enum tag { tag_receive = 0, tag_send = 1, tag_mask = 1 };  // in the low bits of the address

// Bytes in a buffer that wait to be sent.
struct span {
  struct span* next;
  unsigned id, at, size;
};

struct connection {
  int fd;
  bool receiving, starved, ended;  // a receive is armed; it found no buffer; close when sent
  bool sending;
  struct span *first, *last;
};

static struct io_uring ring;
static struct io_uring_buf_ring* provided;
static unsigned buffers, buffer_bytes;
static char* memory;  // of all buffers
static unsigned filled[buffers_max];  // so far
static unsigned spans_in[buffers_max];  // that wait
static bool full[buffers_max];  // the kernel is through with it
static struct span* unused;
static struct connection* last_touched;

static char* buffer_at(unsigned id) { return memory + (size_t)id * buffer_bytes; }

static void give_back(unsigned id) {
  filled[id] = 0;
  full[id] = false;
  io_uring_buf_ring_add(provided, buffer_at(id), buffer_bytes, (unsigned short)id,
                        io_uring_buf_ring_mask(buffers), 0);
  io_uring_buf_ring_advance(provided, 1);
}

static void make_buffers(size_t bytes) {
  buffer_bytes = (unsigned)bytes;
  for (buffers = buffers_max; buffers > buffers_min && buffers * bytes > memory_bytes;)
    buffers /= 2;
  memory = malloc(buffers * bytes);
  if (!memory ||
      posix_memalign((void**)&provided, 4096, buffers * sizeof(struct io_uring_buf)) != 0)
    give_up("the buffers", ENOMEM);
  io_uring_buf_ring_init(provided);
  struct io_uring_buf_reg reg = {
      .ring_addr = (uintptr_t)provided, .ring_entries = buffers, .bgid = group};
  fill_incrementally(&reg);
  const int r = io_uring_register_buf_ring(&ring, &reg, 0);
  if (r < 0) give_up("incremental buffers (they need Linux 6.12)", -r);
  for (unsigned id = 0; id < buffers; ++id) give_back(id);
}

static void add_span(struct connection* c, unsigned id, unsigned at, unsigned size) {
  struct span* s = c->last;
  if (c->first && s->id == id && s->at + s->size == at) {
    s->size += size;
    return;
  }
  s = unused ? unused : malloc(sizeof *s);
  if (!s) give_up("malloc", ENOMEM);
  if (s == unused) unused = s->next;
  *s = (struct span){NULL, id, at, size};
  if (c->first) c->last->next = s;
  else c->first = s;
  c->last = s;
  ++spans_in[id];
}

static void drop_first_span(struct connection* c) {
  struct span* s = c->first;
  c->first = s->next;
  if (--spans_in[s->id] == 0 && full[s->id]) give_back(s->id);
  s->next = unused;
  unused = s;
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
  size_t count = 0;
  for (struct span* s = c->first; s && count < gather_max; s = s->next)
    g->parts[count++] = (struct iovec){buffer_at(s->id) + s->at, s->size};
  c->sending = true;
  io_uring_sqe_set_data64(send_parts(&ring, c->fd, g, count), (uintptr_t)c | tag_send);
}

static void go_on(struct connection* c) {
  // Buffers have come back meanwhile, or will while this receive goes round.
  if (c->starved && !c->ended) receive(c);
  c->starved = false;
  if (c->sending) return;
  if (c->first) {
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
    const unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    full[id] = (cqe->flags & IORING_CQE_F_BUF_MORE) == 0;
    if (cqe->res > 0) add_span(c, id, filled[id], (unsigned)cqe->res);
    else if (full[id] && spans_in[id] == 0) give_back(id);
    if (cqe->res > 0) filled[id] += (unsigned)cqe->res;
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
  c->sending = false;
  if (result < 0) {
    shutdown(c->fd, SHUT_RD);
    c->ended = true;
    while (c->first) drop_first_span(c);
  }
  for (unsigned left = result > 0 ? (unsigned)result : 0; left > 0;) {
    struct span* s = c->first;
    const unsigned part = left < s->size ? left : s->size;
    left -= part;
    s->at += part;
    s->size -= part;
    if (s->size == 0) drop_first_span(c);
  }
  touch(c);
}

static void accepted(int listener, const struct io_uring_cqe* cqe) {
  if (cqe->res >= 0) {
    struct connection* c = calloc(1, sizeof *c);
    if (!c) give_up("calloc", ENOMEM);
    c->fd = cqe->res;
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
