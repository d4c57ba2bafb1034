// Two echo servers by hand, a thread for each client and one thread with select, with few clients
// that send 64 bytes each at the same time and wait for all answers. What select costs beside
// threads: processor time of the server, and the median wait of a client who is alone. The ratio is
// taken within a round; of nine rounds the middle one is printed, and the extremes.
#define _GNU_SOURCE
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { rounds = 9, messages = 1000, clients_max = 32, size = 64 };

static int echo_once(int fd) {
  char buffer[4096];
  const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
  return n > 0 && send(fd, buffer, (size_t)n, MSG_NOSIGNAL) == n;
}

static void* one_client(void* fd) {
  while (echo_once((int)(intptr_t)fd)) {
  }
  return NULL;
}
static void by_threads(int listener, int clients) {
  pthread_t threads[clients_max];
  for (int i = 0; i < clients; ++i) {
    const int fd = accept(listener, NULL, NULL);
    if (pthread_create(&threads[i], NULL, one_client, (void*)(intptr_t)fd) != 0) _exit(1);
  }
  for (int i = 0; i < clients; ++i) pthread_join(threads[i], NULL);
}

static void by_select(int listener, int clients) {
  fd_set watched, ready;
  FD_ZERO(&watched);
  FD_SET(listener, &watched);
  for (int highest = listener, left = clients; left > 0;) {
    ready = watched;
    if (select(highest + 1, &ready, NULL, NULL, NULL) < 0) _exit(1);
    for (int fd = 0; fd <= highest; ++fd) {
      if (!FD_ISSET(fd, &ready)) continue;
      if (fd == listener) {
        const int client = accept(fd, NULL, NULL);
        FD_SET(client, &watched);
        if (client > highest) highest = client;
      } else if (!echo_once(fd)) {
        FD_CLR(fd, &watched);
        --left;
      }
    }
  }
}

static void run_on(int processor) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processor % (int)sysconf(_SC_NPROCESSORS_ONLN), &one);
  sched_setaffinity(0, sizeof one, &one);
}
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}
static int ascending(const void* a, const void* b) {
  return (*(const double*)a > *(const double*)b) - (*(const double*)a < *(const double*)b);
}

// Microseconds: of the server's processor time for a message, and of a client's wait, the median.
struct cost {
  double cpu, wait;
};

static struct cost measure(void (*serve)(int, int), int clients) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t bytes = sizeof at;
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr*)&at, sizeof at) < 0 || listen(listener, 64) < 0 ||
      getsockname(listener, (struct sockaddr*)&at, &bytes) < 0)
    exit(1);
  const pid_t server = fork();
  if (server == 0) {
    run_on(0);
    serve(listener, clients);
    _exit(0);
  }
  close(listener);
  int fds[clients_max];
  for (int i = 0; i < clients; ++i) {
    fds[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fds[i], (struct sockaddr*)&at, sizeof at) < 0) exit(1);
  }
  static double took[messages];
  const int times = messages / clients;
  char message[size] = "hello";
  for (int k = 0; k < times; ++k) {
    const double begin = now();
    for (int i = 0; i < clients; ++i)
      if (send(fds[i], message, size, 0) != size) exit(1);
    for (int i = 0; i < clients; ++i)
      if (recv(fds[i], message, size, MSG_WAITALL) != size) exit(1);
    took[k] = now() - begin;
  }
  for (int i = 0; i < clients; ++i) close(fds[i]);
  int status = 0;
  struct rusage used;
  if (wait4(server, &status, 0, &used) != server || status != 0) exit(1);
  qsort(took, (size_t)times, sizeof took[0], ascending);
  const double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
                     (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  return (struct cost){cpu / (times * clients), took[times / 2]};
}

static void print(const char* what, double* ratios) {
  qsort(ratios, rounds, sizeof ratios[0], ascending);
  printf("%-24s  %16.2f  (%.2f..%.2f)\n", what, ratios[rounds / 2], ratios[0], ratios[rounds - 1]);
}

int main(void) {
  run_on(1);
  printf("%-24s  select / threads  (least..most)\n", "what");
  for (int clients = 1; clients <= clients_max; clients *= 32) {
    double cpu[rounds], wait[rounds];
    for (int r = 0; r < rounds; ++r) {
      const struct cost t = measure(by_threads, clients), s = measure(by_select, clients);
      cpu[r] = s.cpu / t.cpu;
      wait[r] = s.wait / t.wait;
    }
    print(clients == 1 ? "CPU with one client" : "CPU with 32 busy clients", cpu);
    if (clients == 1) print("wait of one client", wait);
  }
}
