// What does a select(2) loop cost? Three bit sets of FD_SETSIZE descriptors, filled by the program
// and overwritten by the kernel each turn.
#include "unsent.h"

#include <sys/select.h>

static fd_set readers, writers;
static int highest;

static void accept_all(int listener) {
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (fd >= FD_SETSIZE) {
      close(fd);
      continue;
    }
    FD_SET(fd, &readers);
    if (fd > highest) highest = fd;
  }
}

static void handle(int fd, bool writable) {
  bool drained = false;
  const enum echo_result r = writable ? send_rest(fd) : echo_once(fd, &drained);
  FD_CLR(fd, &readers);
  FD_CLR(fd, &writers);
  if (r == echo_closed) close_connection(fd);
  else FD_SET(fd, r == echo_blocked ? &writers : &readers);
}

int main(int argc, char** argv) {
  const struct arguments a = read_arguments(argc, argv, 0);
  shared_buffer(a.buffer_bytes);
  const int listener = listen_at(&a, SOCK_NONBLOCK);
  FD_SET(listener, &readers);
  highest = listener;
  for (;;) {
    fd_set in = readers, out = writers;
    int ready = select(highest + 1, &in, &out, NULL, NULL);
    const bool knock = FD_ISSET(listener, &in);
    ready -= knock ? 1 : 0;
    for (int fd = listener + 1; fd <= highest && ready > 0; ++fd) {
      const bool writable = FD_ISSET(fd, &out);
      if (!writable && !FD_ISSET(fd, &in)) continue;
      --ready;
      handle(fd, writable);
    }
    if (knock) accept_all(listener);
  }
}
