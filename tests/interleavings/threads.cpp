// The functions of pthreads that the C++ library uses, and operator new: of the program that is
// explored they come to the machine, others go on to the real ones.
#include "machine.hpp"

#include <cerrno>
#include <cstdlib>
#include <deque>
#include <dlfcn.h>
#include <new>
#include <pthread.h>

namespace interleavings {
namespace {

struct mutex_state {
  std::uint64_t execution = 0;
  int owner = -1;
  vector_clock released;
};
struct waiter {
  int thread;
  bool signalled;
};
struct condition_state {
  std::uint64_t execution = 0;
  std::deque<waiter*> waiters;
};

template <class State>
State& state_of(const void* p) {
  static std::unordered_map<const void*, State> all;
  State& s = all[p];
  if (s.execution != machine::it().execution()) {
    s = State{};
    s.execution = machine::it().execution();
  }
  return s;
}

template <class F>
F real(const char* name) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

void take(mutex_state& s) {
  machine& m = machine::it();
  m.wait([&s] { return s.owner < 0; });
  s.owner = m.thread();
  m.mem.clock(m.thread()).join(s.released);
}

void give(mutex_state& s) {
  machine& m = machine::it();
  if (s.owner != m.thread()) m.fail("a mutex is unlocked by who has not locked it");
  m.land();
  s.released = m.mem.clock(m.thread());
  m.mem.tick(m.thread());
  s.owner = -1;
}

void signal(pthread_cond_t* c, bool all, const void* caller) {
  machine& m = machine::it();
  m.point({all ? "notify_all" : "notify_one", c, caller});
  auto& waiters = state_of<condition_state>(c).waiters;
  while (!waiters.empty()) {
    const int n = static_cast<int>(waiters.size());
    const int which = all || n == 1 ? 0 : m.choose(n);  // any of them: pthread_cond_signal(3)
    waiters[static_cast<std::size_t>(which)]->signalled = true;
    waiters.erase(waiters.begin() + which);
    if (!all) return;
  }
}

bool is_active() { return machine::active(); }

}  // namespace

extern "C" {

int pthread_mutex_lock(pthread_mutex_t* p) noexcept {
  if (!is_active()) {
    static const auto next = real<int (*)(pthread_mutex_t*)>("pthread_mutex_lock");
    return next(p);
  }
  const machine::inside here;
  machine::it().point({"lock", p, __builtin_return_address(0)});
  machine::it().access(p, sizeof *p, atomic_write);
  take(state_of<mutex_state>(p));
  return 0;
}

int pthread_mutex_trylock(pthread_mutex_t* p) noexcept {
  if (!is_active()) {
    static const auto next = real<int (*)(pthread_mutex_t*)>("pthread_mutex_trylock");
    return next(p);
  }
  const machine::inside here;
  machine::it().point({"try_lock", p, __builtin_return_address(0)});
  auto& s = state_of<mutex_state>(p);
  if (s.owner >= 0) return EBUSY;
  take(s);
  return 0;
}

// No point of its own: who waits for it may go on from the next one, which is as good.
int pthread_mutex_unlock(pthread_mutex_t* p) noexcept {
  if (!is_active()) {
    static const auto next = real<int (*)(pthread_mutex_t*)>("pthread_mutex_unlock");
    return next(p);
  }
  const machine::inside here;
  machine::it().access(p, sizeof *p, atomic_write);
  give(state_of<mutex_state>(p));
  return 0;
}

int pthread_cond_wait(pthread_cond_t* c, pthread_mutex_t* p) {
  if (!is_active()) {
    static const auto next = real<int (*)(pthread_cond_t*, pthread_mutex_t*)>("pthread_cond_wait");
    return next(c, p);
  }
  const machine::inside here;
  machine& m = machine::it();
  m.point({"wait", c, __builtin_return_address(0)});
  waiter me{m.thread(), false};
  state_of<condition_state>(c).waiters.push_back(&me);
  auto& s = state_of<mutex_state>(p);
  give(s);
  m.wait([&me] { return me.signalled; });
  take(s);
  return 0;
}

int pthread_cond_signal(pthread_cond_t* c) noexcept {
  if (!is_active()) {
    static const auto next = real<int (*)(pthread_cond_t*)>("pthread_cond_signal");
    return next(c);
  }
  const machine::inside here;
  signal(c, false, __builtin_return_address(0));
  return 0;
}

int pthread_cond_broadcast(pthread_cond_t* c) noexcept {
  if (!is_active()) {
    static const auto next = real<int (*)(pthread_cond_t*)>("pthread_cond_broadcast");
    return next(c);
  }
  const machine::inside here;
  signal(c, true, __builtin_return_address(0));
  return 0;
}

int pthread_create(pthread_t* out, const pthread_attr_t* attributes, void* (*body)(void*),
                   void* argument) noexcept {
  if (!is_active()) {
    using create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
    static const auto next = real<create>("pthread_create");
    return next(out, attributes, body, argument);
  }
  const machine::inside here;
  *out = static_cast<pthread_t>(1 + machine::it().start([=] { body(argument); }));
  return 0;
}

int pthread_join(pthread_t which, void** result) {
  if (!is_active()) {
    static const auto next = real<int (*)(pthread_t, void**)>("pthread_join");
    return next(which, result);
  }
  const machine::inside here;
  machine& m = machine::it();
  const int child = static_cast<int>(which) - 1;
  m.point({"join", &m, __builtin_return_address(0)});
  m.wait([&m, child] { return m.over(child); });
  m.mem.clock(m.thread()).join(m.mem.clock(child));
  return 0;
}

int pthread_detach(pthread_t which) noexcept {
  if (is_active()) return 0;
  static const auto next = real<int (*)(pthread_t)>("pthread_detach");
  return next(which);
}

// As abort(3) ends a process it ends the run.
void abort() noexcept {
  if (machine::active()) {
    const machine::inside here;
    machine::it().fail("the program stops itself");
  }
  static const auto next = real<void (*)()>("abort");
  next();
  __builtin_unreachable();
}

// The two functions of the library that know more than memory and threads: the linker sends calls
// of them here (--wrap).
[[noreturn]] void __wrap__ZN6iolite6detail11rule_brokenEPKc(const char* rule) {
  const machine::inside here;
  machine::it().fail(std::string("rule broken: ") + rule);
}
// Each execution is a process of its own to the library: with a new pool of helpers.
unsigned __wrap__ZN6iolite10fork_countEv() {
  return static_cast<unsigned>(machine::it().execution());
}

}  // extern "C"

namespace {

void* take_block(std::size_t bytes, std::size_t alignment) {
  if (!machine::active()) {
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  machine& m = machine::it();
  const machine::inside here;
  void* const p = m.mem.where.allocate(m.thread(), bytes, alignment);
  if (!p) m.fail("the program needs more memory than there is");
  return p;
}

void give_block(void* p) {
  if (!machine::made()) return std::free(p);
  machine& m = machine::it();
  if (!m.mem.where.holds(reinterpret_cast<address>(p))) return std::free(p);
  if (!machine::active()) return;  // its execution is over
  const machine::inside here;
  if (const char* wrong = m.mem.free(m.thread(), p)) m.fail(wrong);
}

}  // namespace
}  // namespace interleavings

// NOLINTBEGIN(misc-new-delete-overloads)
void* operator new(std::size_t n) {
  return interleavings::take_block(n > 0 ? n : 1, alignof(std::max_align_t));
}
void* operator new(std::size_t n, std::align_val_t a) {
  return interleavings::take_block(n > 0 ? n : 1, static_cast<std::size_t>(a));
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return operator new(n); }
void* operator new[](std::size_t n) { return operator new(n); }
void operator delete(void* p) noexcept { interleavings::give_block(p); }
void operator delete(void* p, std::size_t) noexcept { interleavings::give_block(p); }
void operator delete(void* p, std::align_val_t) noexcept { interleavings::give_block(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  interleavings::give_block(p);
}
void operator delete[](void* p) noexcept { interleavings::give_block(p); }
void operator delete[](void* p, std::size_t) noexcept { interleavings::give_block(p); }
// NOLINTEND(misc-new-delete-overloads)
