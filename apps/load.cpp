#include "load.hpp"

#include "client.hpp"

#include "iolite/channel.hpp"
#include "iolite/event.hpp"
#include "iolite/scope.hpp"
#include "iolite/stream.hpp"
#include "iolite/time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstring>
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
// What may be under way in one direction before the other side has to read: below the least buffers
// of a TCP or unix socket. Larger batches are sent and received at the same time.
constexpr std::size_t one_way_bytes = std::size_t{64} * 1024;
constexpr std::size_t receive_bytes = std::size_t{64} * 1024;
constexpr std::size_t connecting_max = 256;

volatile std::sig_atomic_t signal_seen = 0;

void on_signal(int number) {
  if (signal_seen != 0) ::_exit(128 + number);
  signal_seen = number;
}

// An endless text that any place of a stream can be checked against. Its period is a prime, so
// neither messages nor buffers line up with it.
class pattern {
 public:
  static constexpr std::size_t period = 65521;

  explicit pattern(std::size_t longest) : bytes_(period + longest) {
    std::uint32_t x = 2463534242;  // xorshift32
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      x ^= x << 13;
      x ^= x >> 17;
      x ^= x << 5;
      bytes_[i] = i < period ? static_cast<std::byte>(x) : bytes_[i - period];
    }
  }
  [[nodiscard]] std::span<const std::byte> at(std::uint64_t offset, std::size_t n) const noexcept {
    return std::span(bytes_).subspan(offset % period, n);
  }

 private:
  std::vector<std::byte> bytes_;
};

struct load {
  explicit load(const load_options& o)
      : options(o), text(std::max(o.message_bytes * o.depth, receive_bytes)),
        connecting(connecting_max) {}

  const load_options& options;
  pattern text;
  load_result result;
  std::uint64_t taken = 0;  // requests that some connection has taken on
  unsigned connected = 0;  // or failed to
  bool ending = false;  // no new requests
  event all_connected;
  event begin;
  clock::time_point began;  // of what is counted
  clock::time_point first_moment;  // of the schedule
  clock::time_point last_answer;
  unsigned live = 0;  // connections that go on
  unsigned waiting = 0;  // connections that are owed an answer
  channel<char> connecting;  // how many connect at once: the server's queue is not endless

  void fail(std::string why) {
    if (result.errors++ == 0) result.first_error = std::move(why);
  }
  void arrived() {
    if (++connected == options.connections) all_connected.set();
  }
  // How many messages the next batch has; 0: it is over. After the batch: --waiting.
  unsigned take() {
    if (ending) return 0;
    std::uint64_t n = options.depth;
    if (options.requests > 0) n = std::min(n, options.requests - taken);
    taken += n;
    if (n > 0 && waiting++ == 0) last_answer = clock::now();  // silence is counted from here
    return static_cast<unsigned>(n);
  }
  void answered(clock::time_point intended, clock::time_point now, std::uint64_t messages) {
    last_answer = now;
    result.all_requests += messages;
    if (ending && options.requests == 0) return;
    result.requests += messages;
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now - intended).count();
    for (std::uint64_t i = 0; i < messages; ++i)
      result.latency.add(ns > 0 ? static_cast<std::uint64_t>(ns) : 0);
  }
  // Ends the warm-up.
  void begin_counting() {
    result.requests = 0;
    result.latency.clear();
    began = clock::now();
  }
  void end_counting() {
    if (ending) return;
    ending = true;
    result.seconds = std::chrono::duration<double>(clock::now() - began).count();
  }
};

// One connection's view: where in the pattern its stream is, and where it receives.
struct position {
  explicit position(const load& l, unsigned index)
      : offset(std::uint64_t{index} * 7919),
        buffer(std::min(l.options.message_bytes * l.options.depth, receive_bytes)) {}

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
task<bool> receive_batch(load& l, stream& peer, position& p, std::size_t bytes,
                         clock::time_point intended) {
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
    if (complete > 0) l.answered(intended, clock::now(), complete);
  }
  p.offset += bytes;
  co_return true;
}

task<bool> exchange(load& l, stream& peer, position& p, unsigned messages,
                    clock::time_point intended) {
  const std::size_t bytes = l.options.message_bytes * messages;
  if (bytes > one_way_bytes) {
    scope sender;
    sender.spawn(send_batch(l, peer, p.offset, bytes));
    const bool good = co_await receive_batch(l, peer, p, bytes, intended);
    if (!good) sender.cancel();
    co_await sender.join();
    co_return good;
  }
  const auto sent = co_await peer.send_all(l.text.at(p.offset, bytes));
  if (!sent) {
    if (sent.error() != std::errc::operation_canceled)
      l.fail(fmt::format("send: {}", sent.error().message()));
    co_return false;
  }
  co_return co_await receive_batch(l, peer, p, bytes, intended);
}

// The moments at which one of `connections` sends, evenly spread.
class schedule {
 public:
  schedule(const load& l, unsigned index) {
    if (l.options.rate <= 0) return;
    const double each = l.options.depth / l.options.rate;  // seconds a batch, over all connections
    const auto length = [](double s) {
      return std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(s));
    };
    period_ = length(each * l.options.connections);
    next_ = l.first_moment + length(each * index);
  }
  [[nodiscard]] bool fixed() const noexcept { return period_ > clock::duration::zero(); }
  clock::time_point next() noexcept { return std::exchange(next_, next_ + period_); }

 private:
  clock::duration period_ = clock::duration::zero();
  clock::time_point next_;
};

// When the next batch is to be sent, having waited until then; late is late.
task<clock::time_point> next_moment(schedule& s) {
  if (!s.fixed()) co_return clock::now();
  const auto moment = s.next();
  if (clock::now() < moment) (void)co_await sleep_until(moment);
  co_return moment;
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
  schedule moments(l, index);
  while (!l.ending) {
    const auto intended = co_await next_moment(moments);
    const unsigned messages = l.take();
    if (messages == 0) break;
    const bool good = co_await exchange(l, peer, p, messages, intended);
    --l.waiting;
    if (!good) break;
  }
}

task<void> reconnect_each_time(load& l, unsigned index) {
  l.arrived();
  const auto go = co_await l.begin.wait();
  if (!go) co_return;
  position p(l, index);
  schedule moments(l, index);
  while (!l.ending) {
    const auto intended = co_await next_moment(moments);
    const unsigned messages = l.take();
    if (messages == 0) break;
    stream peer = co_await open(l);
    const bool good = peer.is_open() && co_await exchange(l, peer, p, messages, intended);
    --l.waiting;
    if (!good) break;
    reset(peer);
  }
}

task<void> one_connection(load& l, unsigned index) {
  ++l.live;
  if (l.options.reconnect) co_await reconnect_each_time(l, index);
  else co_await keep_connection(l, index);
  if (--l.live == 0 && l.options.requests > 0) l.end_counting();
}

// Waits for every connection to be made, or to have failed. False: interrupted.
task<bool> pass_connecting(load& l) {
  for (;;) {
    const auto ready = co_await (l.all_connected.wait() | within(tick_length));
    if (ready) co_return true;
    if (signal_seen != 0) l.result.interrupted = true;
    if (l.result.interrupted || ready.error() != std::errc::timed_out) co_return false;
  }
}

// Waits until `until`, ticking. False: interrupted, over, or the server has gone silent.
task<bool> pass_time(load& l, clock::time_point until) {
  for (auto now = clock::now(); now < until; now = clock::now()) {
    const auto slept = co_await sleep_until(std::min(until, now + tick_length));
    if (!slept) co_return false;
    if (l.options.tick) l.options.tick();
    if (signal_seen != 0) l.result.interrupted = true;
    if (l.result.interrupted || l.live == 0 || (l.ending && l.waiting == 0)) co_return false;
    if (l.waiting > 0 && clock::now() - l.last_answer > silence_limit) {
      l.fail(fmt::format("no answer for {} s on {} of the connections", silence_limit.count(),
                         l.waiting));
      co_return false;
    }
  }
  co_return true;
}

task<void> keep_time(load& l, scope& clients) {
  const bool ready = co_await pass_connecting(l);
  if (!ready) {
    clients.cancel();
    co_return;
  }
  l.last_answer = l.first_moment = l.began = clock::now();
  l.begin.set();
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
  clients.cancel();
}

task<void> run_all(load& l) {
  scope clients;
  for (unsigned i = 0; i < l.options.connections; ++i) clients.spawn(one_connection(l, i));
  scope timer;
  timer.spawn(keep_time(l, clients));
  co_await clients.join();
  timer.cancel();
  co_await timer.join();
  l.end_counting();
}

}  // namespace

load_result run_load(const load_options& options) {
  load l(options);
  auto loop = client_engine();
  if (!loop) {
    l.fail(loop.error().message);
    return std::move(l.result);
  }
  (*loop)->run(run_all(l));
  return std::move(l.result);
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
