#include "load.hpp"

#include "client.hpp"
#include "load_state.hpp"
#include "output.hpp"

#include "iolite/nursery.hpp"
#include "iolite/stream.hpp"
#include "iolite/time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <new>
#include <span>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace iolite::app {

namespace {

using namespace std::chrono_literals;

constexpr auto connect_limit = 5s;
constexpr auto silence_limit = 5s;  // without any answer, the server is given up
constexpr auto tick_length = 50ms;
constexpr auto grace = 1s;
constexpr std::uint64_t own_descriptors = 16;  // at most: standard streams, the engine's
// What may be under way in one direction before the other side has to read: below the least buffers
// of a TCP or unix socket. Larger batches are sent and received at the same time.
constexpr std::size_t one_way_bytes = std::size_t{64} * 1024;

volatile std::sig_atomic_t signal_seen = 0;

void on_signal(int number) {
  if (signal_seen != 0) ::_exit(128 + number);
  signal_seen = number;
}

// One connection's view: where in the pattern its stream is, and where it receives.
struct position {
  explicit position(load& l, unsigned index)
      : of(l.members[index]), offset(std::uint64_t{index} * 7919),
        buffer(std::min(l.options.message_bytes * l.options.depth, load::receive_bytes)) {}

  member& of;
  std::uint64_t offset;
  std::vector<std::byte> buffer;
};

std::string mismatch(std::span<const std::byte> got, std::span<const std::byte> due,
                     std::size_t before) {
  const auto at = std::ranges::mismatch(got, due).in1 - got.begin();
  return fmt::format("byte {} of an answer is wrong: does this server echo?",
                     before + static_cast<std::size_t>(at));
}

task<void> send_batch(load& l, stream& peer, std::uint64_t offset, std::size_t bytes) {
  const auto sent = co_await peer.send_all(l.text.at(offset, bytes));
  if (!sent && sent.error() != std::errc::operation_canceled)
    l.fail(fmt::format("send: {}", sent.error().message()));
}

// Receives and verifies the answers to one batch. False: this connection is over.
task<bool> receive_batch(load& l, stream& peer, position& p, std::size_t bytes) {
  const std::size_t each = l.options.message_bytes;
  for (std::size_t done = 0; done < bytes;) {
    const auto into = std::span(p.buffer).first(std::min(p.buffer.size(), bytes - done));
    const auto got = co_await peer.recv(into);
    if (!got || *got == 0) {
      if (got || got.error() != std::errc::operation_canceled)
        l.fail(got ? "the server closed the connection before its answer was complete"
                   : fmt::format("receive: {}", got.error().message()));
      co_return false;
    }
    const auto answer = into.first(*got);
    const auto due = l.text.at(p.offset + done, *got);
    if (std::memcmp(answer.data(), due.data(), *got) != 0) {
      l.fail(mismatch(answer, due, done));
      co_return false;
    }
    const std::size_t before = done / each;
    done += *got;
    const std::size_t complete = done / each - before;
    if (complete > 0) l.answered(p.of, static_cast<unsigned>(complete));
  }
  p.offset += bytes;
  co_return true;
}

task<bool> exchange(load& l, stream& peer, position& p, unsigned messages) {
  const std::size_t bytes = l.options.message_bytes * messages;
  if (bytes > one_way_bytes) {
    co_return co_await in_scope([&](scope& sender) -> task<bool> {
      sender.spawn(send_batch(l, peer, p.offset, bytes));
      const bool good = co_await receive_batch(l, peer, p, bytes);
      if (!good) sender.cancel();
      co_return good;
    });
  }
  const auto sent = co_await peer.send_all(l.text.at(p.offset, bytes));
  if (!sent) {
    if (sent.error() != std::errc::operation_canceled)
      l.fail(fmt::format("send: {}", sent.error().message()));
    co_return false;
  }
  co_return co_await receive_batch(l, peer, p, bytes);
}

// Waits until `m` may send its next batch; late is late.
task<void> next_moment(const member& m) {
  if (m.moments.fixed() && clock::now() < m.moments.next())
    (void)co_await sleep_until(m.moments.next());
}

task<stream> open(load& l) {
  auto made = co_await stream::connect(l.options.to, connect_limit);
  if (made) co_return std::move(*made);
  if (made.error() != std::errc::operation_canceled)
    l.fail(connect_failure(l.options.to, made.error()));
  co_return stream();
}

// A reset instead of a polite end: a connection in TIME-WAIT would keep its local port for a
// minute, and there are only about 28,000 of them.
void reset(stream& peer) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(peer.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  peer.close();
}

task<void> keep_connection(load& l, unsigned index) {
  const auto turn = co_await l.connecting.send('c');
  if (!turn) co_return;
  stream peer = co_await open(l);
  (void)l.connecting.try_receive();
  l.arrived();
  const auto go = co_await l.begin.wait();
  if (!go || !peer.is_open()) co_return;
  position p(l, index);
  while (!l.ending) {
    co_await next_moment(p.of);
    const unsigned messages = l.take(p.of);
    if (messages == 0) break;
    const bool good = co_await exchange(l, peer, p, messages);
    --l.waiting;
    if (!good) break;
  }
}

task<void> reconnect_each_time(load& l, unsigned index) {
  l.arrived();
  const auto go = co_await l.begin.wait();
  if (!go) co_return;
  position p(l, index);
  while (!l.ending) {
    co_await next_moment(p.of);
    const unsigned messages = l.take(p.of);
    if (messages == 0) break;
    stream peer = co_await open(l);
    const bool good = peer.is_open() && co_await exchange(l, peer, p, messages);
    --l.waiting;
    if (!good) break;
    reset(peer);
  }
}

task<void> one_connection(load& l, unsigned index) {
  ++l.live;
  try {
    if (l.options.reconnect) co_await reconnect_each_time(l, index);
    else co_await keep_connection(l, index);
  } catch (const std::bad_alloc&) {
    l.give_up();
  }
  if (--l.live == 0 && l.options.requests > 0) l.end_counting();
}

// Waits for every connection to be made, or to have failed. False: interrupted.
task<bool> pass_connecting(load& l) {
  for (;;) {
    const auto ready = co_await (l.all_connected.wait() | within(tick_length));
    if (ready) co_return true;
    if (signal_seen != 0) l.result.interrupted = true;
    if (l.result.interrupted || l.result.out_of_memory || ready.error() != std::errc::timed_out)
      co_return false;
  }
}

// Waits until `until`, ticking. False: interrupted, over, without memory, or the server is silent.
task<bool> pass_time(load& l, clock::time_point until) {
  for (auto now = clock::now(); now < until; now = clock::now()) {
    const auto slept = co_await sleep_until(std::min(until, now + tick_length));
    if (!slept) co_return false;
    if (l.options.tick) l.options.tick();
    if (signal_seen != 0) l.result.interrupted = true;
    if (l.result.interrupted || l.result.out_of_memory || l.live == 0 ||
        (l.ending && l.waiting == 0))
      co_return false;
    if (l.waiting > 0 && clock::now() - l.last_answer > silence_limit) {
      l.fail(fmt::format("no answer for {} s on {} of the connections", silence_limit.count(),
                         l.waiting));
      co_return false;
    }
  }
  co_return true;
}

task<void> pass_phases(load& l) {
  const bool ready = co_await pass_connecting(l);
  if (!ready) co_return;
  l.begin_sending();
  const bool warm = co_await pass_time(l, deadline_after(l.began, l.options.warm_up));
  if (l.options.warm_up > clock::duration::zero()) l.begin_counting();
  if (warm) {
    const bool counted = l.options.requests == 0;
    co_await pass_time(l, counted ? deadline_after(l.began, l.options.duration) : never);
  }
  l.end_counting();
  // What is under way is waited for, within reason: a connection that waits in vain is an error.
  if (!l.result.interrupted && l.waiting > 0) {
    const bool late = co_await pass_time(l, clock::now() + grace);
    if (late) l.fail(fmt::format("no answer in time on {} of the connections", l.waiting));
  }
}

task<void> keep_time(load& l, scope& clients) {
  try {
    co_await pass_phases(l);
  } catch (const std::bad_alloc&) {
    l.give_up();
  }
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
  if (l.result.out_of_memory) clients.cancel();
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

}  // namespace

std::optional<std::string> too_many_connections(unsigned connections) {
  const std::uint64_t limit = raise_descriptor_limit();
  if (limit >= own_descriptors && connections <= limit - own_descriptors) return std::nullopt;
  return fmt::format("--connections {}: this process may have {} descriptors open; take fewer, or "
                     "raise the limit: ulimit -n",
                     connections, limit);
}

load_result run_load(const load_options& options) {
  load_result without_memory;
  try {
    load l(options);
    auto loop = client_engine();
    if (loop) (*loop)->run(run_all(l));
    else l.fail(loop.error().message);
    return std::move(l.result);
  } catch (const std::bad_alloc&) {
    without_memory.errors = 1;
    without_memory.out_of_memory = true;
    without_memory.first_error = no_memory_for(options);
    return without_memory;
  }
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
