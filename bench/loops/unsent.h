// What a non-blocking echo could not send at once. Kept until the socket takes it: nothing is
// received meanwhile, which is the back-pressure. Sockets seldom refuse, so it is not on the
// ordinary path.
#pragma once
#include "listening.h"

#include <stdbool.h>

struct unsent {
  char* data;  // allocated; null: nothing is left
  size_t size, done;
};

// By descriptor.
static struct unsent unsent_of[1 << 16];

enum echo_result { echo_again, echo_blocked, echo_closed };  // go on; wait until writable; close it

// Sends what was left. echo_again: nothing is left any more.
static inline enum echo_result send_rest(int fd) {
  struct unsent* u = &unsent_of[fd];
  while (u->data) {
    const ssize_t n = send(fd, u->data + u->done, u->size - u->done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN ? echo_blocked : echo_closed;
    u->done += (size_t)n;
    if (u->done < u->size) continue;
    free(u->data);
    *u = (struct unsent){0};
  }
  return echo_again;
}

// Sends `size` bytes, or keeps what does not go out.
static inline enum echo_result send_or_keep(int fd, const char* data, size_t size) {
  const ssize_t n = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n == (ssize_t)size) return echo_again;
  if (n < 0 && errno != EAGAIN) return echo_closed;
  const size_t done = n > 0 ? (size_t)n : 0;
  struct unsent* u = &unsent_of[fd];
  *u = (struct unsent){.data = malloc(size - done), .size = size - done};
  if (!u->data) return echo_closed;
  memcpy(u->data, data + done, u->size);
  return send_rest(fd);
}

static _Thread_local char* received;  // shared: an idle connection holds none
static _Thread_local size_t received_bytes;

// Before anything is received on this thread: room for so much of it.
static inline void shared_buffer(size_t bytes) {
  received = malloc(bytes);
  if (!received) give_up("malloc", ENOMEM);
  received_bytes = bytes;
}

// One receive, one send. `drained`: the socket has nothing more for now.
static inline enum echo_result echo_once(int fd, bool* drained) {
  const ssize_t n = recv(fd, received, received_bytes, MSG_DONTWAIT);
  *drained = n < (ssize_t)received_bytes;  // epoll(7), "Questions and answers": short is drained
  if (n > 0) return send_or_keep(fd, received, (size_t)n);
  return n < 0 && errno == EAGAIN ? echo_again : echo_closed;
}

static inline void close_connection(int fd) {
  free(unsent_of[fd].data);
  unsent_of[fd] = (struct unsent){0};
  close(fd);
}
