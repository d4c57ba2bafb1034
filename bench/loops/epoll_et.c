// What does an edge-triggered epoll(7) loop cost? A socket is registered once, for both directions,
// and never touched again; it is read until a short receive, at most `turns_max` times in a row so
// that the others get their turn.
#include "unsent.h"

#include <sys/epoll.h>

enum { turns_max = 16 };

static int set;
static int unfinished[1 << 16];  // sockets that had more when their turns were over
static int unfinished_count;
static bool is_unfinished[1 << 16];
static bool ended[1 << 16];  // a hang-up was told, once: a short receive is not the end of it

static void accept_all(int listener) {
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    must(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e), "epoll_ctl");
  }
}

static void handle(int fd) {
  for (int turn = 0; turn < turns_max; ++turn) {
    bool drained = false;
    enum echo_result r = send_rest(fd);
    if (r == echo_again) r = echo_once(fd, &drained);
    if (r == echo_closed) {
      ended[fd] = false;
      close_connection(fd);
      return;
    }
    if (r == echo_blocked || (drained && !ended[fd])) return;
  }
  is_unfinished[fd] = true;
  unfinished[unfinished_count++] = fd;
}

static void handle_unfinished(void) {
  const int count = unfinished_count;
  static int now[1 << 16];
  memcpy(now, unfinished, sizeof *now * (size_t)count);
  unfinished_count = 0;
  for (int i = 0; i < count; ++i) {
    is_unfinished[now[i]] = false;
    handle(now[i]);
  }
}

int main(int argc, char** argv) {
  const struct arguments a = read_arguments(argc, argv, 0);
  shared_buffer(a.buffer_bytes);
  const int listener = listen_at(&a, SOCK_NONBLOCK);
  static struct epoll_event events[512];
  set = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  struct epoll_event e = {.events = EPOLLIN, .data.fd = listener};
  must(epoll_ctl(set, EPOLL_CTL_ADD, listener, &e), "epoll_ctl");
  for (;;) {
    const int wait = unfinished_count > 0 ? 0 : -1;
    const int n = epoll_wait(set, events, sizeof events / sizeof *events, wait);
    for (int i = 0; i < n; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        accept_all(listener);
        continue;
      }
      if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) ended[fd] = true;
      if (is_unfinished[fd]) continue;  // it is handled below
      if (events[i].events & EPOLLIN || unsent_of[fd].data) handle(fd);
    }
    handle_unfinished();
  }
}
