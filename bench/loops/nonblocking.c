// What does asking every socket again and again cost (R. Stevens' non-blocking I/O)? Nobody waits:
// the lowest latency there is, for a whole core.
#include "unsent.h"

static int open_fds[1 << 16];
static int count;

static void accept_all(int listener) {
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    open_fds[count++] = fd;
  }
}

int main(int argc, char** argv) {
  const struct arguments a = read_arguments(argc, argv, 0);
  shared_buffer(a.buffer_bytes);
  const int listener = listen_at(&a, SOCK_NONBLOCK);
  for (;;) {
    accept_all(listener);
    // From the end, so that the last can take the place of one that is closed.
    for (int i = count - 1; i >= 0; --i) {
      const int fd = open_fds[i];
      bool drained = false;
      enum echo_result r = send_rest(fd);
      if (r == echo_again) r = echo_once(fd, &drained);
      if (r != echo_closed) continue;
      close_connection(fd);
      open_fds[i] = open_fds[--count];
    }
  }
}
