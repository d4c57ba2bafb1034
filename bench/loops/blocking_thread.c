// What does a thread for each connection cost, with blocking calls? The simplest server there is:
// the kernel's scheduler is the event loop.
#include "listening.h"

#include <pthread.h>
#include <stdint.h>

static size_t buffer_bytes;

static void* serve(void* argument) {
  const int fd = (int)(intptr_t)argument;
  char buffer[buffer_bytes];  // on the stack, which is the thread's own
  for (;;) {
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) break;
    ssize_t sent = 0;
    while (sent < n) {
      const ssize_t r = send(fd, buffer + sent, (size_t)(n - sent), MSG_NOSIGNAL);
      if (r < 0) break;
      sent += r;
    }
    if (sent < n) break;
  }
  close(fd);
  return NULL;
}

int main(int argc, char** argv) {
  const struct arguments a = read_arguments(argc, argv, 0);
  const int listener = listen_at(&a, 0);
  buffer_bytes = a.buffer_bytes;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&small, 64 * 1024 + buffer_bytes);
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) continue;
    pthread_t thread;
    if (pthread_create(&thread, &small, serve, (void*)(intptr_t)fd) != 0) close(fd);
  }
}
