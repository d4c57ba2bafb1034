// What does a poll(2) loop cost? The whole list goes to the kernel and back each turn: cheap while
// most of it is ready, dear when most of it idles.
#include "unsent.h"

#include <poll.h>

static struct pollfd watched[1 << 16];
static nfds_t count;

static void accept_all(int listener) {
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    watched[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
  }
}

// False: it is closed.
static bool handle(struct pollfd* p) {
  bool drained = false;
  const enum echo_result r = p->events == POLLOUT ? send_rest(p->fd) : echo_once(p->fd, &drained);
  p->events = r == echo_blocked ? POLLOUT : POLLIN;
  if (r == echo_closed) close_connection(p->fd);
  return r != echo_closed;
}

int main(int argc, char** argv) {
  const struct arguments a = read_arguments(argc, argv, 0);
  shared_buffer(a.buffer_bytes);
  const int listener = listen_at(&a, SOCK_NONBLOCK);
  watched[count++] = (struct pollfd){.fd = listener, .events = POLLIN};
  for (;;) {
    int ready = poll(watched, count, -1);
    // From the end, so that the last can take the place of one that is closed.
    for (nfds_t i = count - 1; i > 0 && ready > 0; --i) {
      if (!watched[i].revents) continue;
      --ready;
      if (!handle(&watched[i])) watched[i] = watched[--count];
    }
    if (watched[0].revents) accept_all(listener);
  }
}
