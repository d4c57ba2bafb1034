// libevent's plain events: a persistent event for reading, and our own recv and send. Practice: the
// libevent book, R4 "Working with events" (EV_PERSIST: added once, stays) and R8 for the listener.
// Writing is waited for only after a short send.
#include "../loops/unsent.h"

#include <event2/event.h>
#include <event2/listener.h>

struct connection {
  struct event* readable;
  struct event* writable;
};

static void end(int fd, struct connection* c) {
  event_free(c->readable);
  event_free(c->writable);
  free(c);
  close_connection(fd);
}

static void on_readable(evutil_socket_t fd, short what, void* argument) {
  (void)what;
  struct connection* c = argument;
  bool drained = false;
  const enum echo_result r = echo_once(fd, &drained);
  if (r == echo_closed) {
    end(fd, c);
  } else if (r == echo_blocked) {
    event_del(c->readable);
    event_add(c->writable, NULL);
  }
}

static void on_writable(evutil_socket_t fd, short what, void* argument) {
  (void)what;
  struct connection* c = argument;
  const enum echo_result r = send_rest(fd);
  if (r == echo_closed) {
    end(fd, c);
  } else if (r == echo_again) {
    event_del(c->writable);
    event_add(c->readable, NULL);
  }
}

static void on_connection(struct evconnlistener* listener, evutil_socket_t fd,
                          struct sockaddr* from, int size, void* unused) {
  (void)from, (void)size, (void)unused;
  struct event_base* base = evconnlistener_get_base(listener);
  struct connection* c = malloc(sizeof *c);
  if (!c) give_up("malloc", ENOMEM);
  c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
  c->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
  if (!c->readable || !c->writable) give_up("event_new", ENOMEM);
  event_add(c->readable, NULL);
}

int main(int argc, char** argv) {
  const struct arguments a = read_arguments(argc, argv, 0);
  shared_buffer(a.buffer_bytes);
  struct event_base* base = event_base_new();
  if (!base) give_up("event_base_new", ENOMEM);
  const int fd = listen_at(&a, SOCK_NONBLOCK);
  if (!evconnlistener_new(base, on_connection, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, fd))
    give_up("evconnlistener_new", ENOMEM);
  return event_base_dispatch(base);
}
