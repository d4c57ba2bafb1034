// See load_state.hpp.
#include "load/load_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace iolite::app {

namespace {

constexpr std::size_t connecting_max = 256;

std::uint64_t nanoseconds(clock::duration d) {
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
  return ns > 0 ? static_cast<std::uint64_t>(ns) : 0;
}

double seconds(clock::duration d) { return std::chrono::duration<double>(d).count(); }

// What is sent, or compared with what comes, in one piece.
std::size_t longest_text(const load_options& o) {
  const bool own = o.request.kind == protocol::echo;
  return std::max(own ? o.sizes.longest() * o.depth : 0, load::receive_bytes);
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

void load_result::add(const load_result& other) {
  requests += other.requests;
  unanswered += other.unanswered;
  all_requests += other.all_requests;
  seconds = std::max(seconds, other.seconds);
  latency.add(other.latency);
  if (errors == 0) first_error = other.first_error;
  errors += other.errors;
  interrupted |= other.interrupted;
  out_of_memory |= other.out_of_memory;
  threads += other.threads;
  client_cpu_seconds += other.client_cpu_seconds;
  busiest_thread = std::max(busiest_thread, other.busiest_thread);
}

void crew::ready() noexcept {
  if (++ready_ == threads_) began_ = clock::now().time_since_epoch().count();
}

clock::time_point crew::began() const noexcept {
  return clock::time_point(clock::duration(began_.load()));
}

void crew::publish(std::uint64_t requests, std::uint64_t errors, const histogram& latency) {
  const std::lock_guard hold(lock_);
  news_.requests += requests;
  news_.errors += errors;
  news_.latency.add(latency);
}

void crew::take(live_figures& into) {
  const std::lock_guard hold(lock_);
  into.requests = std::exchange(news_.requests, 0);
  into.errors = news_.errors;
  std::swap(into.latency, news_.latency);
  news_.latency.clear();
}

load::load(const load_options& o, crew& c, unsigned first, unsigned sending)
    : options(o), all(c), first_of_all(first), text(longest_text(o)), members(o.connections),
      connecting(connecting_max), connections_of_all_(sending), watched_(bool(o.on_second)) {
  result.threads = 1;
}

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

void load::begin_sending(clock::time_point now) {
  last_answer = began = now;
  const rising_rate batches{.rate = options.rate / options.depth, .ramp = seconds(options.ramp)};
  for (unsigned i = 0; options.rate > 0 && i < options.sending(); ++i)
    members[i].moments = {began, batches, std::uint64_t{first_of_all} + i, connections_of_all_,
                          options.arriving};
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

void load::answered(member& m, const progress& p) {
  if (p.answers + p.refused == 0) return;
  last_answer = clock::now();
  m.in_flight -= p.answers + p.refused;
  result.all_requests += p.answers + p.refused;
  if (!ending) result.requests += p.answers;
  const std::uint64_t ns = nanoseconds(last_answer - m.intended);
  if (p.answers > 0) result.latency.add(ns, p.answers);
  for (unsigned i = 0; i < p.refused; ++i) fail(p.why);
  if (!watched_ || p.answers == 0) return;
  recent_requests_ += p.answers;
  recent_.add(ns, p.answers);
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
  result.seconds = seconds(now - began);
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
  const std::uint64_t longest = nanoseconds(now - moments.next());
  // Those of a Poisson process, or of a ramp, may lie closer together than their mean says.
  const std::uint64_t period =
      std::min(nanoseconds(moments.period()), batches > 1 ? longest / (batches - 1) : longest);
  result.latency.add_evenly(longest - (batches - 1) * period, period, batches, options.depth);
}

void load::count_unanswered() {
  const auto now = clock::now();
  for (const member& m : members) result.latency.add(nanoseconds(now - m.intended), m.in_flight);
}

void load::publish() {
  if (!watched_) return;
  all.publish(recent_requests_, result.errors - told_errors_, recent_);
  recent_requests_ = 0;
  told_errors_ = result.errors;
  recent_.clear();
}

}  // namespace iolite::app
