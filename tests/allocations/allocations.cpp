// No heap allocation per round trip once warm: operator new and delete are counted in this binary.
#include "support/engine_test.hpp"
#include "support/sanitizers.hpp"

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

namespace {

std::atomic<std::uint64_t> allocations = 0;
std::atomic<std::uint64_t> allocated_bytes = 0;
std::atomic<std::uint64_t> releases = 0;

void* counted(std::size_t bytes) {
  ++allocations;
  allocated_bytes += bytes;
  if (void* p = std::malloc(bytes > 0 ? bytes : 1)) return p;
  throw std::bad_alloc();
}
void* counted(std::size_t bytes, std::align_val_t alignment) {
  ++allocations;
  const auto a = static_cast<std::size_t>(alignment);
  if (void* p = std::aligned_alloc(a, (bytes + a - 1) / a * a)) return p;
  throw std::bad_alloc();
}
void* counted(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes > 0 ? bytes : 1);
}
void release(void* p) noexcept {
  if (p) ++releases;
  std::free(p);
}

}  // namespace

void* operator new(std::size_t n) { return counted(n); }
void* operator new[](std::size_t n) { return counted(n); }
void* operator new(std::size_t n, std::align_val_t a) { return counted(n, a); }
void* operator new[](std::size_t n, std::align_val_t a) { return counted(n, a); }
void* operator new(std::size_t n, const std::nothrow_t& t) noexcept { return counted(n, t); }
void* operator new[](std::size_t n, const std::nothrow_t& t) noexcept { return counted(n, t); }
void operator delete(void* p) noexcept { release(p); }
void operator delete[](void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { release(p); }

namespace iolite_test {

INSTANTIATE_TEST_SUITE_P(allocations, engine, testing::ValuesIn(engine_variants()),
                         [](const auto& p) { return p.param; });

namespace {

using namespace iolite;

constexpr int warm_up = 200;
constexpr int measured = 1000;

using exchange = task<bool> (*)(stream& peer);

task<> repeat(stream peer, exchange once, std::uint64_t& allocated) {
  for (int i = 0; i < warm_up; ++i) {
    if (!co_await once(peer)) co_return;
  }
  const std::uint64_t before = allocations + releases;
  for (int i = 0; i < measured; ++i) {
    if (!co_await once(peer)) co_return;
  }
  allocated = allocations + releases - before;
}

task<> converse(stream_pair pair, task<> (*server)(stream), exchange once,
                std::uint64_t& allocated) {
  scope children;
  children.spawn(server(std::move(pair.a)));
  children.spawn(repeat(std::move(pair.b), once, allocated));
  co_await children.join();
}

task<bool> ping(stream& peer) {
  std::array<std::byte, 64> message{};
  const auto sent = co_await peer.send_all(message);
  if (!sent) co_return false;
  const auto got = co_await peer.recv_all(message);
  co_return got.has_value();
}
task<bool> ping_with_deadlines(stream& peer) {
  std::array<std::byte, 64> message{};
  const auto sent = co_await (peer.send_all(message) | within{10s});
  if (!sent) co_return false;
  const auto got = co_await (peer.recv_all(message) | within{10s});
  co_return got.has_value();
}
task<bool> ping_of_16_kib(stream& peer) {
  std::array<std::byte, 16384> message{};
  const auto sent = co_await peer.send_all(message);
  if (!sent) co_return false;
  const auto got = co_await peer.recv_all(message);
  co_return got.has_value();
}

// So that a frame used after its end is found, the sanitizer's build takes each from the heap.
constexpr bool frames_are_reused = !address_sanitizer;

#define EVENT_LOOPS_ONLY()                                                                         \
  if (!frames_are_reused) GTEST_SKIP() << "no free lists under the address sanitizer";             \
  if (traits().blocking) GTEST_SKIP() << "each task has a thread there"

task<> echo_leased(stream peer) {
  for (;;) {
    const auto lent = co_await peer.recv_lease();
    if (!lent || lent->bytes().empty()) co_return;
    if (!co_await peer.send_all(lent->bytes())) co_return;
  }
}

// What an await keeps in the frame is what an idle connection costs: bench/run --workload idle.
TEST(frames, of_a_handler_with_two_awaits_are_small) {
  constexpr std::size_t handlers = 100;
  std::vector<task<>> all;
  all.reserve(handlers);
  const std::uint64_t before = allocated_bytes;
  for (std::size_t i = 0; i < handlers; ++i) all.push_back(echo_leased(stream()));
  EXPECT_LE((allocated_bytes - before) / handlers, 232U);
}

TEST_P(engine, an_echo_round_trip_over_tcp_allocates_nothing) {
  EVENT_LOOPS_ONLY();
  std::uint64_t allocated = 1;
  run(converse(tcp_streams(on()), echo, ping, allocated));
  EXPECT_EQ(allocated, 0U) << "in " << measured << " round trips";
}

TEST_P(engine, an_echo_round_trip_over_unix_allocates_nothing) {
  EVENT_LOOPS_ONLY();
  std::uint64_t allocated = 1;
  run(converse(unix_streams(on()), echo, ping, allocated));
  EXPECT_EQ(allocated, 0U) << "in " << measured << " round trips";
}

TEST_P(engine, an_echo_round_trip_by_leases_allocates_nothing) {
  EVENT_LOOPS_ONLY();
  std::uint64_t allocated = 1;
  run(converse(tcp_streams(on()), echo_leases, ping, allocated));
  EXPECT_EQ(allocated, 0U) << "in " << measured << " round trips";
}

TEST_P(engine, an_echo_round_trip_with_deadlines_allocates_nothing) {
  EVENT_LOOPS_ONLY();
  std::uint64_t allocated = 1;
  run(converse(tcp_streams(on()), echo, ping_with_deadlines, allocated));
  EXPECT_EQ(allocated, 0U) << "in " << measured << " round trips";
}

TEST_P(engine, an_echo_round_trip_of_16_kib_allocates_nothing) {
  EVENT_LOOPS_ONLY();
  std::uint64_t allocated = 1;
  run(converse(tcp_streams(on()), echo, ping_of_16_kib, allocated));
  EXPECT_EQ(allocated, 0U) << "in " << measured << " round trips";
}

// Tasks, sleeps, events and channels of small values take nothing from the heap either.
TEST_P(engine, sleeps_events_channels_and_children_allocate_nothing) {
  EVENT_LOOPS_ONLY();
  struct bodies {
    static task<> child(event& e) { static_cast<void>(co_await e.wait()); }
    static task<> round(channel<int>& c) {
      event e;
      scope s;
      s.spawn(child(e));
      static_cast<void>(co_await iolite::sleep(0ms));
      e.set();
      co_await s.join();
      const auto sent = co_await c.send(1);
      const auto got = co_await c.receive();
      EXPECT_TRUE(sent && got);
    }
    static task<std::uint64_t> all() {
      channel<int> c(2);
      for (int i = 0; i < warm_up; ++i) co_await round(c);
      const std::uint64_t before = allocations + releases;
      for (int i = 0; i < measured; ++i) co_await round(c);
      co_return allocations + releases - before;
    }
  };
  EXPECT_EQ(run(bodies::all()), 0U);
}

// Handles, limits on tasks and when_any() take all they need from the free lists of frames.
TEST_P(engine, handles_limits_and_when_any_allocate_nothing) {
  EVENT_LOOPS_ONLY();
  struct bodies {
    static task<int> number(event& e) {
      const auto waited = co_await e.wait();
      co_return waited ? 1 : 0;
    }
    static task<> round(event& set, event& never_set, stream& silent) {
      scope s;
      auto child = s.spawn(number(set));
      const auto n = co_await (child | within(10s));
      EXPECT_EQ(n.value_or(0), 1);
      co_await s.join();
      const auto m = co_await (number(set) | within(10s));
      EXPECT_EQ(m.value_or(0), 1);
      std::array<std::byte, 1> byte{};
      const auto any = co_await when_any(silent.recv(byte), set.wait(), never_set.wait());
      EXPECT_EQ(any.index, 1U);
    }
    static task<std::uint64_t> all(stream_pair pair) {
      event set, never_set;
      set.set();
      for (int i = 0; i < warm_up; ++i) co_await round(set, never_set, pair.a);
      const std::uint64_t before = allocations + releases;
      for (int i = 0; i < measured; ++i) co_await round(set, never_set, pair.a);
      co_return allocations + releases - before;
    }
  };
  EXPECT_EQ(run(bodies::all(unix_streams(on()))), 0U);
}

}  // namespace
}  // namespace iolite_test
