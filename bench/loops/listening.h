// What the hand-written loops share, so that each shows its model and nothing else: the listening
// socket, the line that tells its port, and giving up.
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { buffer_bytes = 4096, backlog = 4096 };

static inline _Noreturn void give_up(const char* what, int error) {
  fprintf(stderr, "%s: %s\n", what, strerror(error));
  exit(1);
}

// The result of a call that must not fail.
static inline int must(int result, const char* what) {
  if (result < 0) give_up(what, errno);
  return result;
}

// Listens on the port argv[1] (0 or none: any), with the socket type `flags`; says where. On Linux
// the accepted sockets inherit TCP_NODELAY.
static inline int listen_at(int argc, char** argv, int flags) {
  struct rlimit files;
  must(getrlimit(RLIMIT_NOFILE, &files), "getrlimit");
  files.rlim_cur = files.rlim_max;
  must(setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
  struct sockaddr_in at = {.sin_family = AF_INET};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons((unsigned short)(argc > 1 ? atoi(argv[1]) : 0));
  socklen_t size = sizeof at;
  const int yes = 1;
  const int fd = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket");
  must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), "SO_REUSEADDR");
  must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes), "TCP_NODELAY");
  must(bind(fd, (struct sockaddr*)&at, size), "bind");
  must(listen(fd, backlog), "listen");
  must(getsockname(fd, (struct sockaddr*)&at, &size), "getsockname");
  printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
  fflush(stdout);
  return fd;
}
