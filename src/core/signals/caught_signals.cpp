// See caught_signals.hpp. What a handler does is atomic or a system call: signal-safety(7).
#include "core/signals/caught_signals.hpp"

#include <bit>
#include <cerrno>
#include <new>
#include <pthread.h>

namespace iolite {
namespace {

void on_signal(int number) {
  const int saved = errno;
  kernel& os = kernel::of_thread();
  caught_signals::of(os).take(os, number);
  errno = saved;
}

bool is_ours(kernel& os, int number) noexcept {
  struct sigaction now{};
  return os.sigaction(number, nullptr, &now) == 0 && now.sa_handler == on_signal;
}

// Calls that a signal interrupts go on (SA_RESTART), as far as signal(7) lets them: those of the
// program know nothing of what is caught here.
int handle(kernel& os, int number) noexcept {
  struct sigaction act{};
  act.sa_handler = on_signal;
  act.sa_flags = SA_RESTART;
  ::sigemptyset(&act.sa_mask);
  return os.sigaction(number, &act, nullptr);
}

template <class Visit>
void each(signal_bits numbers, Visit visit) {
  for (; numbers != 0; numbers &= numbers - 1) visit(std::countr_zero(numbers) + 1);
}

// No memory is copied to a child there: what has our handler is its parent's.
struct of_simulated {
  caught_signals caught{~signal_bits{0}};
  std::shared_ptr<void> of_server;
};

of_simulated& simulated(kernel& home) {
  if (!home.signals) home.signals = std::make_shared<of_simulated>();
  return *static_cast<of_simulated*>(home.signals.get());
}

constinit caught_signals of_the_system;  // a handler may be early, and late

void forget_parents_of_system() noexcept { of_the_system.forget_parents(); }

}  // namespace

caught_signals& caught_signals::of(kernel& k) {
  kernel& home = k.undecorated();
  return &home == &kernel::real() ? of_the_system : simulated(home).caught;
}

std::shared_ptr<void>& caught_signals::of_server(kernel& k) {
  return simulated(k.undecorated()).of_server;
}

// --- receivers ---

int caught_signals::add(kernel& os, signal_receiver& r) noexcept {
  [[maybe_unused]] static const int at_fork =
      ::pthread_atfork(nullptr, nullptr, forget_parents_of_system);
  const std::lock_guard hold(lock_);
  if (knows(r)) return -EALREADY;
  r.next_.store(first_.load());
  first_.store(&r);  // before there is a signal to miss
  const int error = install(os, r.wanted_);
  if (error < 0) unlink(r);
  return error;
}

void caught_signals::remove(kernel& os, signal_receiver& r) noexcept {
  {
    const std::lock_guard hold(lock_);
    if (!knows(r)) return;  // the parent's, in a child
    put_back(os, r.wanted_ & ~wanted_by_others(r));
    unlink(r);
  }
  await_handlers(os);
}

signal_bits caught_signals::wanted_by_others(const signal_receiver& r) const noexcept {
  signal_bits all = 0;
  for (const auto* o = first_.load(); o; o = o->next_.load()) {
    if (o != &r) all |= o->wanted_;
  }
  return all;
}

bool caught_signals::knows(const signal_receiver& r) const noexcept {
  const auto* o = first_.load();
  while (o && o != &r) o = o->next_.load();
  return o != nullptr;
}

// A handler that looks at `r` right now still finds those behind it.
void caught_signals::unlink(signal_receiver& r) noexcept {
  std::atomic<signal_receiver*>* at = &first_;
  while (at->load() != &r) at = &at->load()->next_;
  at->store(r.next_.load());
}

// --- handlers ---

// 0 or -errno: then all is as before.
int caught_signals::install(kernel& os, signal_bits numbers) noexcept {
  int error = 0;
  signal_bits made = 0;
  each(numbers, [&](int n) {
    if (error < 0) return;
    if (!is_ours(os, n)) {
      // In this order: a child that is forked in between knows what to put back.
      error = os.sigaction(n, nullptr, &before_[index(n)]);
      caught_.fetch_or(bit_of(n));
      if (error == 0) error = handle(os, n);
      made |= bit_of(n);
    }
    parents_.fetch_and(~bit_of(n));
  });
  if (error < 0) put_back(os, made);
  return error;
}

// Where the program has replaced the handler meanwhile, that one stays.
void caught_signals::put_back(kernel& os, signal_bits numbers) noexcept {
  each(numbers, [&](int n) {
    if (is_ours(os, n)) os.sigaction(n, &before_[index(n)], nullptr);
    caught_.fetch_and(~bit_of(n));
  });
}

void caught_signals::forget_parents() noexcept {
  new (&lock_) std::mutex;  // another thread of the parent may have held it
  first_ = nullptr;
  handlers_ = 0;  // those on other threads are not in this process
  parents_ = caught_.load();
}

void caught_signals::start_in_child() noexcept {
  forget_parents();
  parents_ = 0;
}

void caught_signals::take(kernel& os, int number) noexcept {
  const under_way one(*this, os);
  for (auto* r = first_.load(); r; r = r->next_.load()) {
    if ((r->wanted_ & bit_of(number)) != 0) r->caught(number);
  }
  if ((parents_.load() & bit_of(number)) != 0) give_to_program(os, number);
}

// It comes again when the handler has returned.
void caught_signals::give_to_program(kernel& os, int number) noexcept {
  os.sigaction(number, &before_[index(number)], nullptr);
  os.kill(os.getpid(), number);
}

void caught_signals::await_handlers(kernel& os) noexcept {
  while (const std::uint32_t n = std::atomic_ref(handlers_).load()) {
    os.futex_wait(&handlers_, n, nullptr);
  }
}

caught_signals::under_way::under_way(caught_signals& all, kernel& os) noexcept
    : all_(all), os_(os) {
  std::atomic_ref(all_.handlers_).fetch_add(1);
}

caught_signals::under_way::~under_way() {
  if (std::atomic_ref(all_.handlers_).fetch_sub(1) == 1) os_.futex_wake(&all_.handlers_, INT32_MAX);
}

}  // namespace iolite
