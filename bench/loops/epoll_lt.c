// What does a plain level-triggered epoll(7) loop cost? The ordinary way since 2002: one wait a
// turn, one recv and one send for each ready socket; what is left makes it ready again.
#include "unsent.h"

#include <sys/epoll.h>

static int set;

static void watch(int fd, unsigned events, int how) {
  struct epoll_event e = {.events = events, .data.fd = fd};
  must(epoll_ctl(set, how, fd, &e), "epoll_ctl");
}

static void accept_all(int listener) {
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    watch(fd, EPOLLIN, EPOLL_CTL_ADD);
  }
}

static void handle(int fd, unsigned events) {
  bool drained = false;
  enum echo_result r = echo_again;
  if (events & EPOLLOUT) {
    r = send_rest(fd);
    if (r == echo_again) watch(fd, EPOLLIN, EPOLL_CTL_MOD);
  } else {
    r = echo_once(fd, &drained);
    if (r == echo_blocked) watch(fd, EPOLLOUT, EPOLL_CTL_MOD);
  }
  if (r == echo_closed) close_connection(fd);
}

int main(int argc, char** argv) {
  const int listener = listen_at(argc, argv, SOCK_NONBLOCK);
  static struct epoll_event events[512];
  set = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  watch(listener, EPOLLIN, EPOLL_CTL_ADD);
  for (;;) {
    const int n = epoll_wait(set, events, sizeof events / sizeof *events, -1);
    for (int i = 0; i < n; ++i) {
      if (events[i].data.fd == listener) accept_all(listener);
      else handle(events[i].data.fd, events[i].events);
    }
  }
}
