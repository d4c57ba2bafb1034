// What does signal-driven I/O cost? Each socket sends a queued real-time signal when something
// happens on it (F_SETSIG, fcntl(2)), and sigwaitinfo(2) takes one after the other. A signal comes
// once for each happening, so a socket is read until a short receive; when the queue is full there
// is a plain SIGIO, and every socket is asked.
#include "unsent.h"

#include <fcntl.h>
#include <signal.h>

static bool is_open[1 << 16];
static int highest, listener;

static void deliver_signals(int fd) {
  must(fcntl(fd, F_SETOWN, getpid()), "F_SETOWN");
  must(fcntl(fd, F_SETSIG, SIGRTMIN), "F_SETSIG");
  must(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK), "O_ASYNC");
}

static void handle(int fd) {
  bool drained = false;
  enum echo_result r = send_rest(fd);
  while (r == echo_again && !drained) r = echo_once(fd, &drained);
  if (r != echo_closed) return;
  is_open[fd] = false;
  close_connection(fd);
}

static void accept_all(void) {
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    deliver_signals(fd);
    is_open[fd] = true;
    if (fd > highest) highest = fd;
    handle(fd);  // what came before it had a signal
  }
}

static void ask_everyone(void) {
  accept_all();
  for (int fd = 0; fd <= highest; ++fd)
    if (is_open[fd]) handle(fd);
}

int main(int argc, char** argv) {
  const struct arguments a = read_arguments(argc, argv, 0);
  shared_buffer(a.buffer_bytes);
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGRTMIN);
  sigaddset(&wanted, SIGIO);
  must(sigprocmask(SIG_BLOCK, &wanted, NULL), "sigprocmask");
  listener = listen_at(&a, SOCK_NONBLOCK);
  deliver_signals(listener);
  accept_all();
  for (;;) {
    siginfo_t info;
    const int number = sigwaitinfo(&wanted, &info);
    if (number == SIGIO) ask_everyone();
    else if (number == SIGRTMIN && info.si_fd == listener) accept_all();
    else if (number == SIGRTMIN && is_open[info.si_fd]) handle(info.si_fd);
  }
}
