// What the hand-written loops share, so that each shows its model and nothing else: the listening
// socket, the line that tells where, and giving up.
#pragma once
#include "arguments.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { backlog = 4096 };

#ifdef __cplusplus
[[noreturn]]
#else
_Noreturn
#endif
static inline void give_up(const char* what, int error) {
  fprintf(stderr, "%s: %s\n", what, strerror(error));
  exit(1);
}

// The result of a call that must not fail.
static inline int must(int result, const char* what) {
  if (result < 0) give_up(what, errno);
  return result;
}

static inline bool is_unix(const struct arguments* a) {
  return strncmp(a->listen, "unix:", 5) == 0;
}

static inline int listen_at_path(const char* path, int flags) {
  struct sockaddr_un at;
  memset(&at, 0, sizeof at);
  at.sun_family = AF_UNIX;
  if (strlen(path) >= sizeof at.sun_path) give_up(path, ENAMETOOLONG);
  strcpy(at.sun_path, path);
  const int fd = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket");
  must(bind(fd, (struct sockaddr*)&at, sizeof at), "bind");
  must(listen(fd, backlog), "listen");
  return fd;
}

// On Linux the accepted sockets inherit TCP_NODELAY. `shared`: others listen at the same port.
static inline int listen_at_port(int port, int flags, bool shared) {
  struct sockaddr_in at;
  memset(&at, 0, sizeof at);
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons((unsigned short)port);
  const int yes = 1;
  const int fd = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket");
  must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), "SO_REUSEADDR");
  if (shared) must(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes), "SO_REUSEPORT");
  must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes), "TCP_NODELAY");
  must(bind(fd, (struct sockaddr*)&at, sizeof at), "bind");
  must(listen(fd, backlog), "listen");
  return fd;
}

static inline int port_of(int fd) {
  struct sockaddr_in at;
  socklen_t size = sizeof at;
  must(getsockname(fd, (struct sockaddr*)&at, &size), "getsockname");
  return ntohs(at.sin_port);
}

// Listens where `a` says, with the socket type `flags`, and says where. With several threads each
// gets a socket of its own (SO_REUSEPORT), into `each`.
static inline void listen_each(const struct arguments* a, int flags, int* each) {
  struct rlimit files;
  must(getrlimit(RLIMIT_NOFILE, &files), "getrlimit");
  files.rlim_cur = files.rlim_max;
  must(setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
  if (is_unix(a)) {
    if (a->threads > 1) give_up("one unix socket for several threads", EINVAL);
    each[0] = listen_at_path(a->listen + 5, flags);
    printf("listening on %s\n", a->listen);
  } else {
    const char* const colon = strrchr(a->listen, ':');
    int port = atoi(colon ? colon + 1 : a->listen);
    for (int i = 0; i < a->threads; ++i) {
      each[i] = listen_at_port(port, flags, a->threads > 1);
      port = port_of(each[i]);
    }
    printf("listening on 127.0.0.1:%d\n", port);
  }
  fflush(stdout);
}

// Calls run(its listener) on as many threads as `a` says, each with a listener of its own.
static inline void run_each(const struct arguments* a, int flags, void* (*run)(void*)) {
  enum { threads_max = 256 };
  int listeners[threads_max];
  if (a->threads > threads_max) give_up("--threads", EINVAL);
  listen_each(a, flags, listeners);
  for (int i = 1; i < a->threads; ++i) {
    pthread_t thread;
    const int r = pthread_create(&thread, NULL, run, (void*)(intptr_t)listeners[i]);
    if (r != 0) give_up("pthread_create", r);
  }
  run((void*)(intptr_t)listeners[0]);
}

static inline int listen_at(const struct arguments* a, int flags) {
  int fd = -1;
  listen_each(a, flags, &fd);
  return fd;
}
