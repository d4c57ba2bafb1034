// What does a fan-out cost on epoll(7)? What one connection sends goes to all others, one send(2)
// each. Who cannot take it at once is dropped: a publisher does not wait for the slowest.
#include "unsent.h"

#include <sys/epoll.h>

static int set;
static int open_fds[1 << 16], place_of[1 << 16];
static int count;

static bool is_open(int fd) { return place_of[fd] < count && open_fds[place_of[fd]] == fd; }

static void watch(int fd) {
  struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
  must(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e), "epoll_ctl");
}

static void accept_all(int listener) {
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    watch(fd);
    place_of[fd] = count;
    open_fds[count++] = fd;
  }
}

static void drop(int fd) {
  const int last = open_fds[--count];
  open_fds[place_of[fd]] = last;
  place_of[last] = place_of[fd];
  close(fd);
}

static void handle(int from) {
  const ssize_t n = recv(from, received, received_bytes, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    drop(from);
    return;
  }
  // From the end, so that the last can take the place of one that is dropped.
  for (int i = count - 1; i >= 0; --i) {
    const int fd = open_fds[i];
    if (fd == from) continue;
    if (send(fd, received, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) != n) drop(fd);
  }
}

int main(int argc, char** argv) {
  const struct arguments a = read_arguments(argc, argv, knows_fan);
  shared_buffer(a.buffer_bytes);
  const int listener = listen_at(&a, SOCK_NONBLOCK);
  static struct epoll_event events[512];
  set = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  watch(listener);
  for (;;) {
    const int n = epoll_wait(set, events, sizeof events / sizeof *events, -1);
    for (int i = 0; i < n; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) accept_all(listener);
      else if (is_open(fd)) handle(fd);
    }
  }
}
