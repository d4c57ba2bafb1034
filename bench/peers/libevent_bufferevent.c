// libevent's bufferevents: what was received is moved from the input to the output buffer without a
// copy. Practice: the libevent book, R6 "Bufferevents" and R7 "Evbuffers" (evbuffer_add_buffer
// moves), R8 for the listener. A receive is of at most 4 KiB, fixed in 2.1.
// A peer that does not read stops being read from (a write watermark would do the same).
#include "../loops/listening.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

enum { output_max = 1 << 20 };  // bytes, then reading stops

static void on_bytes(struct bufferevent* peer, void* unused) {
  (void)unused;
  struct evbuffer* output = bufferevent_get_output(peer);
  evbuffer_add_buffer(output, bufferevent_get_input(peer));
  if (evbuffer_get_length(output) > output_max) bufferevent_disable(peer, EV_READ);
}

// All of the output is out.
static void on_sent(struct bufferevent* peer, void* unused) {
  (void)unused;
  if (!(bufferevent_get_enabled(peer) & EV_READ)) bufferevent_enable(peer, EV_READ);
}

static void on_event(struct bufferevent* peer, short what, void* unused) {
  (void)unused;
  if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) bufferevent_free(peer);
}

static void on_connection(struct evconnlistener* listener, evutil_socket_t fd,
                          struct sockaddr* from, int size, void* unused) {
  (void)from, (void)size, (void)unused;
  struct event_base* base = evconnlistener_get_base(listener);
  struct bufferevent* peer = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
  if (!peer) give_up("bufferevent_socket_new", ENOMEM);
  bufferevent_setcb(peer, on_bytes, on_sent, on_event, NULL);
  bufferevent_enable(peer, EV_READ | EV_WRITE);
}

int main(int argc, char** argv) {
  const struct arguments a = read_arguments(argc, argv, 0);
  struct event_base* base = event_base_new();
  if (!base) give_up("event_base_new", ENOMEM);
  const int fd = listen_at(&a, SOCK_NONBLOCK);
  if (!evconnlistener_new(base, on_connection, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, fd))
    give_up("evconnlistener_new", ENOMEM);
  return event_base_dispatch(base);
}
