/* Waiting for many descriptors at once, on whichever facility the system has: one interface over
 * epoll(7), kqueue(2), poll(2), select(2), signal-driven I/O and plain asking. For C, and for
 * every language that can call C. C++ programs may prefer <iolite/selector.hpp>.
 *
 *   iolite_selector *s;
 *   iolite_ready ready[64];
 *   if (iolite_selector_open(NULL, &s) < 0) ...;
 *   iolite_selector_add(s, fd, IOLITE_READ, my_data);
 *   int n = iolite_selector_wait(s, ready, 64, 1000000000);    // one second
 *   for (int i = 0; i < n; ++i) use(ready[i].fd, ready[i].events, ready[i].data);
 *   iolite_selector_close(s);
 *
 * Results: every function returns 0 or a count, or -errno. errno itself means nothing afterwards,
 * except that iolite_selector_wake() leaves it alone. -EINTR never comes out. A function that
 * fails has changed nothing. A null selector is -EINVAL.
 *
 * What is reported: descriptors that are ready, each at most once in a wait, with events that are
 * not zero and within those asked for. Level-triggered: again in every wait for as long as it
 * lasts. A hang-up or an error is every event asked for. A peer that has only ended its sending
 * (shutdown(2)) is readable. All facilities agree, but for what iolite_selector_traits() says.
 *
 * Ownership: descriptors stay the caller's, are never closed or set to O_NONBLOCK here, and should
 * be removed before they are closed. One that was closed first is not reported any more; it can
 * still be removed, and adding its number is -EEXIST until then. `data` is handed back and not
 * looked at.
 *
 * Threads: a selector is used by one thread at a time, not always the same one. Only
 * iolite_selector_wake() may be called at any time, from any thread and from a signal handler.
 * After fork(2) the child may only close it, which the parent does not notice.
 *
 * "signal" sends the real-time signal SIGRTMIN + 4, and SIGIO when the kernel's queue is full, to
 * the thread that waits, from its first wait on; another signal is named as "signal:40". Both are
 * blocked in that thread alone, until the selector is closed by it; a child of fork(2) has them as
 * they were before, but what that thread starts by pthread_create(3), posix_spawn(3) or system(3)
 * has its mask. One thread must not use sigwait(3) for them beside, and descriptors of one open
 * file must not be watched by two threads, nor with two numbers. Signals only end the sleep: each
 * wait looks at all descriptors with poll(2). What no signal tells (eventfd(2) and others send
 * none) is looked for every 20 ms while a wait lasts: see docs/semantics.md. */
#ifndef IOLITE_SELECTOR_H
#define IOLITE_SELECTOR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define IOLITE_NOEXCEPT noexcept
#else
#define IOLITE_NOEXCEPT
#endif

typedef struct iolite_selector iolite_selector;

/* What to wait for, and what was found. */
enum { IOLITE_READ = 1, IOLITE_WRITE = 2 };

/* How to report it, or'ed into the events of add and modify where the traits allow, else -ENOTSUP.
 * EDGE: a change once, and not a state for as long as it lasts. ONESHOT: one report, then silence
 * until modify. */
enum { IOLITE_EDGE = 16, IOLITE_ONESHOT = 32 };

/* What a facility has beyond the common. */
enum {
  IOLITE_HAS_EDGE = 1,
  IOLITE_HAS_ONESHOT = 2,
  IOLITE_HAS_FILES = 4,     /* regular files may be added, and are always ready; else -EPERM */
  IOLITE_HAS_FD = 8,        /* iolite_selector_fd() gives a descriptor */
  IOLITE_HAS_LARGE_FDS = 16, /* descriptors of FD_SETSIZE (1,024) and above; else -EINVAL */
  IOLITE_HAS_IDLE = 32      /* a wait sleeps; without it, it asks again and again */
};

/* A descriptor that is ready: iolite_selector_wait() writes one for each. */
typedef struct {
  int fd;
  unsigned events;
  void* data;
} iolite_ready;

/* Opens a selector on `facility`: "kqueue", "epoll", "poll", "select", "signal" (or
 * "signal:NUMBER"), "nonblocking" (or with ":spin", ":yield", ":sleep" for what it does between
 * two rounds; yield), or NULL or "best" for the first of kqueue, epoll, poll and select that works
 * here. -EINVAL: no such facility. -ENOTSUP: this system does not have it. -EMFILE (also: select,
 * and all descriptors below FD_SETSIZE are taken), -ENFILE, -ENOMEM. *out is NULL when it fails,
 * else the caller's, to be closed. */
int iolite_selector_open(const char* facility, iolite_selector** out) IOLITE_NOEXCEPT;

/* Watches `fd` for `events`. -EEXIST: it is watched already. -EBADF: it is not open. -EINVAL: no
 * events or unknown ones, or a descriptor too large for select(2). -EPERM: a regular file or
 * directory, on facilities without IOLITE_HAS_FILES. -ENOTSUP: see IOLITE_EDGE. -ENOMEM,
 * -ENOSPC. */
int iolite_selector_add(iolite_selector* s, int fd, unsigned events, void* data) IOLITE_NOEXCEPT;

/* Replaces events and data, and arms IOLITE_ONESHOT again. -ENOENT: not watched. -EBADF: the events
 * change, and it has been closed. -EINVAL, -ENOTSUP, -ENOMEM as for add. */
int iolite_selector_modify(iolite_selector* s, int fd, unsigned events, void* data) IOLITE_NOEXCEPT;

/* Forgets `fd`; works after close(fd) too. What an earlier wait has returned of it is stale,
 * nothing later is. -ENOENT: not watched. */
int iolite_selector_remove(iolite_selector* s, int fd) IOLITE_NOEXCEPT;

/* Waits until something is ready, iolite_selector_wake() was called, or `timeout_ns` nanoseconds
 * have passed: not less. 0 looks once, negative waits for ever, also when nothing is watched. A
 * signal handler does not end it: the wait goes on with the time left. The number of entries
 * written to `out`; 0 after a timeout or a wake. At most `max`: who did not fit comes first the
 * next time. -EINVAL: max <= 0, or (poll, signal) more descriptors watched than RLIMIT_NOFILE.
 * -ENOMEM. */
int iolite_selector_wait(iolite_selector* s, iolite_ready* out, int max,
                         int64_t timeout_ns) IOLITE_NOEXCEPT;

/* Ends the wait under way, or else the next one, early. Calls before a wait returns count as one.
 * Any thread, and async-signal-safe. */
int iolite_selector_wake(iolite_selector* s) IOLITE_NOEXCEPT;

/* A descriptor that is readable when a wait would return something, to nest in another loop; or
 * -ENOTSUP. It stays the selector's. Wait with timeout 0 until less than `max` is returned. A loop
 * on epoll(7) has to add it again when a descriptor was closed without a remove while a duplicate
 * kept its file alive: the set under this number is a new one then. */
int iolite_selector_fd(const iolite_selector* s) IOLITE_NOEXCEPT;

/* The facility's name, never "best". A static string; "" for a null selector. */
const char* iolite_selector_name(const iolite_selector* s) IOLITE_NOEXCEPT;

/* IOLITE_HAS_ bits. 0 for a null selector. */
unsigned iolite_selector_traits(const iolite_selector* s) IOLITE_NOEXCEPT;

/* Gives everything back; null is fine. No other call may be under way or follow. */
void iolite_selector_close(iolite_selector* s) IOLITE_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
