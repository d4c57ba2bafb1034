#include "load/exchange.hpp"

#include "commands/client.hpp"

#include "iolite/nursery.hpp"
#include "iolite/stream.hpp"
#include "iolite/time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <new>
#include <span>
#include <sys/socket.h>
#include <vector>

namespace iolite::app {

namespace {

using namespace std::chrono_literals;

constexpr auto connect_limit = 5s;
// A client that is slow on purpose: each message comes in so many pieces, with such pauses.
constexpr std::size_t slow_pieces = 4;
constexpr auto slow_pause = 2ms;
// What may be under way in one direction before the other side has to read: below the least buffers
// of a TCP or unix socket. Larger batches are sent and received at the same time.
constexpr std::size_t one_way_bytes = std::size_t{64} * 1024;
constexpr std::size_t unknown_answer_bytes = std::size_t{8} * 1024;

std::size_t buffer_bytes(const load_options& o) {
  std::size_t each = o.sizes.longest();
  if (o.request.kind != protocol::echo) each = std::max(each, unknown_answer_bytes);
  if (o.request.answer_bytes > 0) each = o.request.answer_bytes;
  return std::min(each > load::receive_bytes / o.depth ? load::receive_bytes : each * o.depth,
                  load::receive_bytes);
}

// One connection's view: what it says, and where it receives.
struct talk {
  explicit talk(load& l, unsigned index)
      : of(l.members[index]), slow(index < l.options.slow), chance(l.first_of_all + index),
        words(make_conversation(l.options.request, l.text, l.first_of_all + index)),
        sizes(l.options.depth), buffer(buffer_bytes(l.options)) {}

  member& of;
  stream peer;
  std::uint64_t asked = 0;  // on this connection
  bool slow;
  random_source chance;
  std::unique_ptr<conversation> words;
  std::vector<std::size_t> sizes;  // of the messages of one batch
  std::vector<std::byte> buffer;
};

void note(load& l, std::string_view what, std::error_code why) {
  if (why != std::errc::operation_canceled) l.fail(fmt::format("{}: {}", what, why.message()));
}

task<bool> send_batch(load& l, stream& peer, std::span<const std::byte> batch) {
  const auto sent = co_await peer.send_all(batch);
  if (!sent) note(l, "send", sent.error());
  co_return sent.has_value();
}

task<void> send_beside(load& l, stream& peer, std::span<const std::byte> batch) {
  (void)co_await send_batch(l, peer, batch);
}

// The latency of a message that its sender holds back counts from its last piece.
task<bool> send_in_pieces(load& l, talk& t, std::span<const std::byte> batch) {
  const std::size_t each = std::max<std::size_t>(1, batch.size() / slow_pieces);
  while (batch.size() > each) {
    const bool sent = co_await send_batch(l, t.peer, batch.first(each));
    if (!sent) co_return false;
    batch = batch.subspan(each);
    const auto slept = co_await sleep(slow_pause);
    if (!slept) co_return false;
  }
  t.of.intended = clock::now();
  const bool sent = co_await send_batch(l, t.peer, batch);
  co_return sent;
}

// Receives and verifies the answers to one batch. False: this connection is over.
task<bool> receive_batch(load& l, talk& t) {
  while (t.of.in_flight > 0) {
    const auto got = co_await t.peer.recv(t.buffer);
    if (!got) {
      note(l, "receive", got.error());
      co_return false;
    }
    if (*got == 0) {
      if (t.words->end()) {
        l.answered(t.of, {.answers = 1, .why = {}});
        if (t.of.in_flight == 0) co_return true;
      }
      l.fail("the server closed the connection before its answer was complete");
      co_return false;
    }
    const auto p = t.words->take(std::span(t.buffer).first(*got));
    if (!p) {
      l.fail(p.error());
      co_return false;
    }
    l.answered(t.of, *p);
  }
  co_return true;
}

task<bool> exchange(load& l, talk& t, unsigned messages) {
  const auto sizes = std::span(t.sizes).first(messages);
  for (std::size_t& n : sizes) n = l.options.sizes.draw(t.chance);
  const auto batch = t.words->ask(sizes);
  bool sent = true;
  if (batch.size() > one_way_bytes) {
    co_return co_await in_scope([&](scope& sender) -> task<bool> {
      sender.spawn(send_beside(l, t.peer, batch));
      const bool good = co_await receive_batch(l, t);
      if (!good) sender.cancel();
      co_return good;
    });
  }
  if (t.slow) sent = co_await send_in_pieces(l, t, batch);
  else sent = co_await send_batch(l, t.peer, batch);
  if (!sent) co_return false;
  const bool good = co_await receive_batch(l, t);
  co_return good;
}

// When connection `index` begins: at once, or in its turn while the load rises.
clock::time_point first_moment(const load& l, unsigned index) {
  if (l.options.rate > 0) return l.began;
  return l.began + l.options.ramp * index / std::max(1U, l.options.sending());
}

// Waits until `m` may send its next batch; late is late.
task<void> next_moment(const member& m) {
  if (m.moments.fixed() && clock::now() < m.moments.next())
    (void)co_await sleep_until(m.moments.next());
}

task<bool> open(load& l, stream& into) {
  auto made = co_await stream::connect(l.options.to, connect_limit);
  if (made) {
    into = std::move(*made);
    co_return true;
  }
  if (made.error() != std::errc::operation_canceled)
    l.fail(connect_failure(l.options.to, made.error()));
  co_return false;
}

// A reset instead of a polite end: a connection in TIME-WAIT would keep its local port for a
// minute, and there are only about 28,000 of them.
void reset(stream& peer) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(peer.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  peer.close();
}

// Ends a connection that the server ends, or that has served its time.
void replace(const load& l, talk& t) {
  const bool worn = l.options.churn > 0 && t.asked >= l.options.churn;
  if (!worn && !t.words->over()) return;
  reset(t.peer);
  t.words->begin_anew();
  t.asked = 0;
}

task<void> ask_again_and_again(load& l, talk& t) {
  while (!l.ending) {
    co_await next_moment(t.of);
    const unsigned messages = l.take(t.of);
    if (messages == 0) break;
    bool good = t.peer.is_open();
    if (!good) good = co_await open(l, t.peer);
    if (good) good = co_await exchange(l, t, messages);
    --l.waiting;
    if (!good) break;
    t.asked += messages;
    replace(l, t);
  }
}

// Connects in its turn, but where each request has a connection of its own.
task<bool> first_connect(load& l, stream& into) {
  if (l.options.churn == 1) co_return true;
  const auto turn = co_await l.connecting.send('c');
  if (!turn) co_return false;
  const bool made = co_await open(l, into);
  (void)l.connecting.try_receive();
  co_return made;
}

task<void> stay_silent(load& l) {
  stream peer;
  const bool made = co_await first_connect(l, peer);
  l.arrived();
  if (made) (void)co_await sleep_until(never);
}

task<void> keep_asking(load& l, unsigned index) {
  talk t(l, index);
  const bool made = co_await first_connect(l, t.peer);
  l.arrived();
  const auto go = co_await l.begin.wait();
  if (!go || !made) co_return;
  const auto first = first_moment(l, index);
  if (first > l.began) (void)co_await sleep_until(first);
  co_await ask_again_and_again(l, t);
}

}  // namespace

task<void> one_connection(load& l, unsigned index) {
  const bool sends = index < l.options.sending();
  if (sends) ++l.live;
  try {
    if (sends) co_await keep_asking(l, index);
    else co_await stay_silent(l);
  } catch (const std::bad_alloc&) {
    l.give_up();
  }
  if (sends && --l.live == 0 && l.options.requests > 0) l.end_counting();
}

}  // namespace iolite::app
