// What it costs to enter the kernel, and to change threads: the least and the middle of 1,000
// rounds of each, in nanoseconds. Everything runs on one processor, so that a switch is a switch.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { rounds = 1000, times = 50 };
static int pair[2], quiet[2];

static __attribute__((noipa)) int add(int a) { return a + 1; }
static void call(void) { add(1); }
static void system_call(void) { syscall(SYS_getppid); }
static void recv_of_nothing(void) {
  char byte;
  recv(quiet[0], &byte, 1, MSG_DONTWAIT);
}
static void message(void) {
  char byte = 1;
  if (send(quiet[1], &byte, 1, 0) != 1 || recv(quiet[0], &byte, 1, 0) != 1) exit(1);
}
static void there_and_back(void) {
  char byte = 1;
  if (send(pair[0], &byte, 1, 0) != 1 || recv(pair[0], &byte, 1, 0) != 1) exit(1);
}
static void* echo(void* unused) {
  for (char byte; recv(pair[1], &byte, 1, 0) == 1;) send(pair[1], &byte, 1, 0);
  return unused;
}

static int ascending(const void* a, const void* b) {
  return (*(const double*)a > *(const double*)b) - (*(const double*)a < *(const double*)b);
}
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}
static void measure(const char* what, void (*once)(void)) {
  double took[rounds];
  for (int i = 0; i < rounds; ++i) {
    const double begin = now();
    for (int k = 0; k < times; ++k) once();
    took[i] = (now() - begin) / times;
  }
  qsort(took, rounds, sizeof took[0], ascending);
  printf("%-44s  %7.0f  %7.0f\n", what, took[0], took[rounds / 2]);
}

int main(void) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  pthread_t other;
  if (sched_setaffinity(0, sizeof one, &one) != 0 ||
      socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 ||
      socketpair(AF_UNIX, SOCK_STREAM, 0, quiet) != 0 ||
      pthread_create(&other, NULL, echo, NULL) != 0)
    return 1;
  printf("%-44s  %7s  %7s\n", "ns", "least", "middle");
  measure("a call of a function", call);
  measure("a system call that does nothing: getppid", system_call);
  measure("recv that says EAGAIN", recv_of_nothing);
  measure("send and recv of a byte, one thread", message);
  measure("the same to a thread and back, two switches", there_and_back);
}
