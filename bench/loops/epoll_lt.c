// What does a plain level-triggered epoll(7) loop cost? The ordinary way since 2002: one wait a
// turn, one recv and one send for each ready socket; what is left makes it ready again. With
// --threads a loop and a listener in each; with --spin a wait first asks for so long without
// sleeping.
#include "unsent.h"

#include <sys/epoll.h>
#include <time.h>

static struct arguments arguments;
static _Thread_local int set;

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

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int wait_for(struct epoll_event* events, int most) {
  if (arguments.spin_us == 0) return epoll_wait(set, events, most, -1);
  const int64_t end = now_us() + arguments.spin_us;
  do {
    const int n = epoll_wait(set, events, most, 0);
    if (n != 0) return n;
  } while (now_us() < end);
  return epoll_wait(set, events, most, -1);
}

static void* run(void* argument) {
  const int listener = (int)(intptr_t)argument;
  struct epoll_event events[512];
  shared_buffer(arguments.buffer_bytes);
  set = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  watch(listener, EPOLLIN, EPOLL_CTL_ADD);
  for (;;) {
    const int n = wait_for(events, sizeof events / sizeof *events);
    for (int i = 0; i < n; ++i) {
      if (events[i].data.fd == listener) accept_all(listener);
      else handle(events[i].data.fd, events[i].events);
    }
  }
  return NULL;
}

int main(int argc, char** argv) {
  arguments = read_arguments(argc, argv, knows_threads | knows_spin);
  run_each(&arguments, SOCK_NONBLOCK, run);
}
