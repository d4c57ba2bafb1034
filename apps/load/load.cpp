#include "load/load.hpp"

#include "commands/client.hpp"
#include "load/exchange.hpp"
#include "terminal/output.hpp"

#include "iolite/nursery.hpp"
#include "iolite/time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <ctime>
#include <list>
#include <new>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace iolite::app {

namespace {

using namespace std::chrono_literals;

constexpr auto silence_limit = 5s;  // without any answer, the server is given up
constexpr auto tick_length = 50ms;
constexpr unsigned ticks_a_second = 20;
constexpr auto start_tick = 1ms;  // while other threads still connect
constexpr auto grace = 1s;
constexpr std::uint64_t own_descriptors = 16;  // at most: standard streams, the engine's

std::atomic<int> signal_seen = 0;
static_assert(std::atomic<int>::is_always_lock_free, "it is used in a signal handler");

void on_signal(int number) {
  if (signal_seen != 0) ::_exit(128 + number);
  signal_seen = number;
}

double thread_cpu_seconds() {
  timespec t = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

bool must_end(load& l) {
  if (signal_seen != 0) l.result.interrupted = true;
  return l.result.interrupted || l.result.out_of_memory || l.all.given_up();
}

// Waits for every connection of this thread to be made, or to have failed. False: interrupted.
task<bool> pass_connecting(load& l) {
  for (;;) {
    const auto ready = co_await (l.all_connected.wait() | within(tick_length));
    if (ready) break;
    if (must_end(l) || ready.error() != std::errc::timed_out) co_return false;
  }
  l.all.ready();
  // The other threads are as far soon.
  while (l.all.began() == never) {
    if (must_end(l)) co_return false;
    const auto slept = co_await sleep(start_tick);
    if (!slept) co_return false;
  }
  co_return true;
}

void look(const load_options& o, load& l, clock::time_point end, bool counting) {
  if (!o.on_second) return;
  l.publish();
  live_figures now;
  l.all.take(now);
  now.end = end;
  now.counting = counting;
  o.on_second(now);
}

// What is done beside the load: by the first thread, which is the caller's, for the user.
class watch {
 public:
  explicit watch(load& l) noexcept : load_(l) {}

  clock::time_point end = never;
  bool counting = false;

  void tick() {
    if (load_.options.tick) load_.options.tick();
    if (++ticks_ % ticks_a_second != 0 || !load_.options.on_second) return;
    if (load_.first_of_all == 0) look(load_.options, load_, end, counting);
    else load_.publish();
  }

 private:
  load& load_;
  unsigned ticks_ = 0;
};

// Waits until `until`, ticking. False: interrupted, over, without memory, or the server is silent.
task<bool> pass_time(load& l, watch& w, clock::time_point until) {
  for (auto now = clock::now(); now < until; now = clock::now()) {
    const auto slept = co_await sleep_until(std::min(until, now + tick_length));
    if (!slept) co_return false;
    w.tick();
    if (must_end(l) || l.live == 0 || (l.ending && l.waiting == 0)) co_return false;
    if (l.waiting > 0 && clock::now() - l.last_answer > silence_limit) {
      l.fail(fmt::format("no answer for {} s on {} of the connections", silence_limit.count(),
                         l.waiting));
      co_return false;
    }
  }
  co_return true;
}

task<void> pass_run(load& l, watch& w) {
  const load_options& o = l.options;
  const auto preparing = deadline_after(deadline_after(l.began, o.ramp), o.warm_up);
  const bool by_time = o.requests == 0;
  w.end = by_time ? deadline_after(preparing, o.duration) : never;
  const bool warm = co_await pass_time(l, w, preparing);
  if (preparing > l.began) l.begin_counting();
  w.counting = true;
  const auto counted_until = by_time ? deadline_after(l.began, o.duration) : never;
  if (warm) co_await pass_time(l, w, counted_until);
  l.end_counting();
  // What is under way is waited for, within reason: a connection that waits in vain is an error.
  if (l.result.interrupted || l.waiting == 0) co_return;
  const bool late = co_await pass_time(l, w, clock::now() + grace);
  if (late) l.fail(fmt::format("no answer in time on {} of the connections", l.waiting));
}

task<void> pass_phases(load& l) {
  const bool ready = co_await pass_connecting(l);
  if (!ready) co_return;
  if (l.options.on_begin) l.options.on_begin();
  const double used = thread_cpu_seconds();
  const auto began = clock::now();
  watch w(l);
  l.begin_sending(l.all.began());
  co_await pass_run(l, w);
  const double wall = std::chrono::duration<double>(clock::now() - began).count();
  l.result.client_cpu_seconds = thread_cpu_seconds() - used;
  l.result.busiest_thread = wall > 0 ? l.result.client_cpu_seconds / wall : 0;
}

task<void> keep_time(load& l, scope& clients) {
  try {
    co_await pass_phases(l);
  } catch (const std::bad_alloc&) {
    l.give_up();
  }
  if (l.result.interrupted || l.result.out_of_memory) l.all.give_up();
  clients.cancel();
}

void start_all(load& l, scope& clients, scope& timer) {
  try {
    for (unsigned i = 0; i < l.options.connections && !l.result.out_of_memory; ++i)
      clients.spawn(one_connection(l, i));
    if (!l.result.out_of_memory) timer.spawn(keep_time(l, clients));
  } catch (const std::bad_alloc&) {
    l.give_up();
  }
  if (!l.result.out_of_memory) return;
  l.all.give_up();
  clients.cancel();
}

task<void> run_all(load& l) {
  co_await in_scope([&](scope& clients) -> task<void> {
    co_await in_scope([&](scope& timer) -> task<void> {
      start_all(l, clients, timer);
      co_await clients.join();
      timer.cancel();
    });
  });
  l.end_counting();
  l.count_unanswered();
}

load_result run_part(const load_options& options, crew& all, unsigned first) {
  load_result without_memory;
  try {
    load l(options, all, first, options.sending_in_all);
    auto loop = client_engine();
    if (loop) {
      (*loop)->run(run_all(l));
    } else {
      all.give_up();
      l.fail(loop.error().message);
    }
    return std::move(l.result);
  } catch (const std::bad_alloc&) {
    all.give_up();
    without_memory.errors = 1;
    without_memory.out_of_memory = true;
    without_memory.first_error = no_memory_for(options);
    return without_memory;
  }
}

// The share of thread `index` of `n` in a total.
template <class T>
T share(T total, unsigned index, unsigned n) {
  return total / n + (index < total % n ? 1 : 0);
}

struct part {
  load_options options;
  unsigned first = 0;  // its first connection that sends, in the whole load
  load_result result = {};
};

std::list<part> divide(const load_options& o, unsigned threads) {
  std::list<part> parts;
  unsigned first = 0;
  for (unsigned i = 0; i < threads; ++i) {
    load_options mine = o;
    mine.connections = share(o.connections, i, threads);
    mine.active = share(o.active, i, threads);
    mine.slow = share(o.slow, i, threads);
    mine.requests = share(o.requests, i, threads);
    mine.sending_in_all = o.sending();
    if (i > 0) mine.on_begin = mine.tick = {};
    parts.push_back({std::move(mine), first});
    first += parts.back().options.sending();
  }
  return parts;
}

// Each needs a connection that sends, and a request.
unsigned threads_for(const load_options& o) {
  std::uint64_t n = std::max(1U, std::min(o.threads, o.sending()));
  if (o.requests > 0) n = std::min(n, o.requests);
  return static_cast<unsigned>(n);
}

}  // namespace

std::optional<std::string> too_many_connections(unsigned connections) {
  const std::uint64_t limit = raise_descriptor_limit();
  if (limit >= own_descriptors && connections <= limit - own_descriptors) return std::nullopt;
  return fmt::format("--connections {}: this process may have {} descriptors open; take fewer, or "
                     "raise the limit: ulimit -n",
                     connections, limit);
}

load_result run_load(const load_options& options) {
  std::list<part> parts = divide(options, threads_for(options));
  crew all(static_cast<unsigned>(parts.size()));
  const auto run = [&all](part& p) { p.result = run_part(p.options, all, p.first); };
  load_result& sum = parts.front().result;
  std::vector<std::thread> others;
  std::string no_thread;
  try {
    others.reserve(parts.size());
    for (auto p = std::next(parts.begin()); p != parts.end(); ++p)
      others.emplace_back([&run, mine = &*p] { run(*mine); });
  } catch (const std::system_error& e) {
    no_thread = fmt::format("cannot start {} threads: {}", parts.size(), e.code().message());
    all.give_up();
  }
  run(parts.front());
  for (std::thread& t : others) t.join();
  for (auto p = std::next(parts.begin()); p != parts.end(); ++p) sum.add(p->result);
  if (!no_thread.empty() && sum.errors++ == 0) sum.first_error = no_thread;
  return std::move(sum);
}

interruptible::interruptible() {
  signal_seen = 0;
  std::signal(SIGINT, &on_signal);
  std::signal(SIGTERM, &on_signal);
}

interruptible::~interruptible() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

int interruptible::signal() noexcept { return signal_seen; }

}  // namespace iolite::app
