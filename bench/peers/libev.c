// libev: a watcher inside each connection's own memory, and our own recv and send. Practice: ev(3),
// "ASSOCIATING CUSTOM DATA WITH A WATCHER" (the watcher is the first member) and "ev_io" (always
// non-blocking descriptors; ev_io_set only while stopped). With --fan one send to every other
// connection; who cannot take it at once is dropped.
#include "../loops/unsent.h"

// ev.h's macros are not written for these warnings.
#pragma GCC diagnostic ignored "-Wstrict-aliasing"
#pragma GCC diagnostic ignored "-Wconversion"
#include <ev.h>

static struct arguments arguments;
static ev_io* open_connections[1 << 16];
static int place_of[1 << 16];  // by descriptor
static int count;

static void end(struct ev_loop* loop, ev_io* w) {
  const int fd = w->fd;
  ev_io* last = open_connections[--count];
  open_connections[place_of[fd]] = last;
  place_of[last->fd] = place_of[fd];
  ev_io_stop(loop, w);
  free(w);
  close_connection(fd);
}

static void watch(struct ev_loop* loop, ev_io* w, int events) {
  ev_io_stop(loop, w);
  ev_io_set(w, w->fd, events);
  ev_io_start(loop, w);
}

static void on_ready(struct ev_loop* loop, ev_io* w, int events) {
  bool drained = false;
  enum echo_result r = echo_again;
  if (events & EV_WRITE) {
    r = send_rest(w->fd);
    if (r == echo_again) watch(loop, w, EV_READ);
  } else {
    r = echo_once(w->fd, &drained);
    if (r == echo_blocked) watch(loop, w, EV_WRITE);
  }
  if (r == echo_closed) end(loop, w);
}

static void on_message(struct ev_loop* loop, ev_io* w, int events) {
  (void)events;
  const ssize_t n = recv(w->fd, received, received_bytes, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    end(loop, w);
    return;
  }
  // From the end: who is dropped is replaced by the last.
  for (int i = count - 1; i >= 0; --i) {
    ev_io* other = open_connections[i];
    if (other == w) continue;
    if (send(other->fd, received, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) != n) end(loop, other);
  }
}

static void on_connection(struct ev_loop* loop, ev_io* listener, int events) {
  (void)events;
  for (;;) {
    const int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    ev_io* w = malloc(sizeof *w);
    if (!w) give_up("malloc", ENOMEM);
    ev_io_init(w, arguments.fan ? on_message : on_ready, fd, EV_READ);
    place_of[fd] = count;
    open_connections[count++] = w;
    ev_io_start(loop, w);
  }
}

int main(int argc, char** argv) {
  arguments = read_arguments(argc, argv, knows_fan);
  shared_buffer(arguments.buffer_bytes);
  struct ev_loop* loop = ev_default_loop(EVFLAG_AUTO);
  if (!loop) give_up("ev_default_loop", EINVAL);
  static ev_io listener;
  ev_io_init(&listener, on_connection, listen_at(&arguments, SOCK_NONBLOCK), EV_READ);
  ev_io_start(loop, &listener);
  ev_run(loop, 0);
}
