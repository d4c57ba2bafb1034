// See load_state.hpp.
#include "load_state.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace iolite::app {

namespace {

constexpr std::size_t connecting_max = 256;

std::uint64_t nanoseconds(clock::duration d) {
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
  return ns > 0 ? static_cast<std::uint64_t>(ns) : 0;
}

}  // namespace

pattern::pattern(std::size_t longest) : bytes_(period + longest) {
  std::uint32_t x = 2463534242;  // xorshift32
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    bytes_[i] = i < period ? static_cast<std::byte>(x) : bytes_[i - period];
  }
}

std::string no_memory_for(const load_options& o) {
  return fmt::format("not enough memory for {} connections; take fewer, or smaller messages",
                     o.connections);
}

load::load(const load_options& o)
    : options(o), text(std::max(o.message_bytes * o.depth, receive_bytes)), members(o.connections),
      connecting(connecting_max) {}

void load::fail(std::string why) {
  if (result.errors++ == 0) result.first_error = std::move(why);
}

void load::give_up() {
  result.out_of_memory = true;
  fail(no_memory_for(options));
}

void load::arrived() {
  if (++connected_ == options.connections) all_connected.set();
}

void load::begin_sending() {
  last_answer = began = clock::now();
  const double each = options.depth / options.rate;  // seconds a batch, over all connections
  for (unsigned i = 0; options.rate > 0 && i < options.connections; ++i)
    members[i].moments = {deadline_after(began, length_of(each * i)),
                          length_of(each * options.connections)};
  begin.set();
}

unsigned load::take(member& m) {
  if (ending) return 0;
  std::uint64_t n = options.depth;
  if (options.requests > 0) n = std::min(n, options.requests - taken_);
  if (n == 0) return 0;
  taken_ += n;
  m.in_flight = static_cast<unsigned>(n);
  m.intended = m.moments.fixed() ? m.moments.next() : clock::now();
  m.moments.use();
  if (waiting++ == 0) last_answer = clock::now();  // silence is counted from here
  return m.in_flight;
}

void load::answered(member& m, unsigned messages) {
  last_answer = clock::now();
  m.in_flight -= messages;
  result.all_requests += messages;
  if (!ending) result.requests += messages;
  result.latency.add(nanoseconds(last_answer - m.intended), messages);
}

void load::begin_counting() {
  result.requests = 0;
  result.latency.clear();
  began = clock::now();
}

void load::end_counting() {
  if (ending) return;
  ending = true;
  const auto now = clock::now();
  result.seconds = std::chrono::duration<double>(now - began).count();
  for (const member& m : members) {
    result.unanswered += m.in_flight;
    count_unsent(m.moments, now);
  }
}

// What was due and waits behind an answer that does not come: it counts from when it was due.
void load::count_unsent(const schedule& moments, clock::time_point now) {
  std::uint64_t batches = moments.unused_before(now);
  if (options.requests > 0)
    batches = std::min(batches, (options.requests - taken_) / options.depth);
  if (batches == 0) return;
  taken_ += batches * options.depth;
  result.unanswered += batches * options.depth;
  const std::uint64_t period = nanoseconds(moments.period());
  const std::uint64_t longest = nanoseconds(now - moments.next());
  result.latency.add_evenly(longest - (batches - 1) * period, period, batches, options.depth);
}

void load::count_unanswered() {
  const auto now = clock::now();
  for (const member& m : members) result.latency.add(nanoseconds(now - m.intended), m.in_flight);
}

}  // namespace iolite::app
