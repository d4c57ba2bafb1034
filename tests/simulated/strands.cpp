// Programs take turns on one thread of the system, and each of them has what a thread has: its
// exceptions, its engine, its stack. Worlds on several threads do not know of each other.
#include "worlds.hpp"

#include "kernel/kernel.hpp"
#include "kernel/simulated/strands/strand.hpp"
#include "support/sanitizers.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <thread>

namespace iolite_test {
namespace {

using namespace iolite;
using simulated::strand;

// Runs `body` and comes back whenever it says pause().
struct one_strand {
  explicit one_strand(std::function<void(one_strand&)> body)
      : other([this, own = std::move(body)]() -> strand& {
          own(*this);
          over = true;
          return here;
        }) {}
  void go_on() { strand::change(here, other); }
  void pause() { strand::change(other, here); }

  strand here;
  bool over = false;
  strand other;
};

TEST(strand, exceptions_in_flight_stay_where_they_were_thrown) {
  std::string seen;
  one_strand s([&](one_strand& me) {
    try {
      throw std::runtime_error("of the strand");
    } catch (...) {
      me.pause();  // in the middle of its handler
      try {
        throw;
      } catch (const std::exception& e) {
        seen += e.what();
      }
    }
  });
  try {
    throw std::runtime_error("of the thread");
  } catch (...) {
    s.go_on();
    EXPECT_FALSE(s.over);
    s.go_on();
    try {
      throw;
    } catch (const std::exception& e) {
      seen += std::string(", ") + e.what();
    }
  }
  EXPECT_TRUE(s.over);
  EXPECT_EQ(seen, "of the strand, of the thread");
  EXPECT_FALSE(std::current_exception());
}

TEST(strand, unwinding_is_counted_for_each) {
  struct pauses_when_unwound {
    one_strand& me;
    int& during;
    ~pauses_when_unwound() {
      me.pause();
      during = std::uncaught_exceptions();
    }
  };
  int during = -1;
  one_strand s([&](one_strand& me) {
    try {
      const pauses_when_unwound p{me, during};
      throw 1;
    } catch (int) {
    }
  });
  s.go_on();
  EXPECT_EQ(std::uncaught_exceptions(), 0);
  s.go_on();
  EXPECT_EQ(during, 1);
  EXPECT_TRUE(s.over);
}

TEST(strand, each_has_a_state_of_its_own) {
  const thread_state* inside = nullptr;
  one_strand s([&](one_strand& me) {
    inside = &state_of_thread();
    me.pause();
    EXPECT_EQ(&state_of_thread(), inside);
  });
  const thread_state* const outside = &state_of_thread();
  s.go_on();
  EXPECT_NE(inside, outside);
  EXPECT_EQ(&state_of_thread(), outside);
  s.go_on();
  EXPECT_TRUE(s.over);
}

double half_of(double x) { return x / 2; }

// What a call preserves: locals survive, floating-point ones too.
TEST(strand, locals_survive_a_thousand_turns) {
  long sum = 0;
  double product = 1;
  one_strand s([&](one_strand& me) {
    for (long i = 0; i < 1000; ++i) {
      const double half = half_of(static_cast<double>(i));
      me.pause();
      sum += i;
      product += half;
    }
  });
  double mine = 0;
  while (!s.over) {
    const double x = mine + 0.5;
    s.go_on();
    mine = x;
  }
  EXPECT_EQ(sum, 999 * 1000 / 2);
  EXPECT_EQ(product, 1 + 999 * 1000 / 4.0);
  EXPECT_EQ(mine, 1001 * 0.5);
}

std::size_t use_stack(std::size_t bytes) {
  std::array<volatile char, 1024> some;
  some[0] = static_cast<char>(bytes);
  return bytes <= some.size() ? 1 : use_stack(bytes - some.size()) + (some[0] != some[0]) + 1;
}

TEST(strand, has_a_stack_for_deep_calls) {
  std::size_t calls = 0;
  one_strand s([&](one_strand&) { calls = use_stack(simulated::stack::bytes / 8); });
  s.go_on();
  EXPECT_EQ(calls, simulated::stack::bytes / 8 / 1024);
}

TEST(strand_death, who_needs_more_stack_stops_there) {
  if (address_sanitizer) GTEST_SKIP() << "the sanitizer may keep what is local elsewhere";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto overflow = [] {
    one_strand s([&](one_strand&) { use_stack(simulated::stack::bytes * 8); });
    s.go_on();
  };
  EXPECT_DEATH(overflow(), "");
}

TEST(simulated_turns, a_switch_in_a_destructor_that_unwinds_is_nobody_elses) {
  struct bodies {
    struct waits_when_unwound {
      kernel& os;
      ~waits_when_unwound() {
        const timespec t{.tv_sec = 0, .tv_nsec = 1'000'000};
        os.nanosleep(&t);
      }
    };
    static task<> unwind() {
      const context c = co_await here{};
      const waits_when_unwound w{c.on->os()};
      throw std::runtime_error("meant");
    }
    static task<> look(int& most) {
      for (int i = 0; i < 10; ++i) {
        most = std::max(most, std::uncaught_exceptions());
        co_await iolite::sleep(100us);
      }
    }
  };
  int most = 0;
  simulate::world w(1);
  const auto h = w.add_host("host");
  w.run(h, "epoll", bodies::unwind);
  w.run(h, "poll", [&] { return bodies::look(most); });
  const auto r = w.finish();
  EXPECT_EQ(r.failures, std::vector<std::string>{"host: meant"});
  EXPECT_EQ(most, 0);
}

TEST(simulated_turns, many_worlds_run_on_many_threads_at_once) {
  const auto hash_of = [](std::uint64_t seed) {
    simulate::world w(seed, {.faults = simulate::faults::some()});
    const auto server = w.add_host("server"), client = w.add_host("client");
    w.serve(server, give_back, {.model = "epoll", .listen = {server.at(7000)}});
    w.run(client, "blocking", [&] { return talk(server.at(7000), 20'000, 3); });
    const auto r = w.finish();
    return r.ok() ? r.hash : 0;
  };
  constexpr std::uint64_t seeds = 20;
  std::array<std::array<std::uint64_t, seeds>, 4> found{};
  std::vector<std::thread> threads;
  for (auto& mine : found) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < seeds; ++i) mine[i] = hash_of(i + 1);
    });
  }
  for (std::thread& t : threads) t.join();
  for (std::uint64_t i = 0; i < seeds; ++i) {
    const std::uint64_t alone = hash_of(i + 1);
    EXPECT_NE(alone, 0U);
    for (const auto& mine : found) EXPECT_EQ(mine[i], alone);
  }
}

TEST(simulated_turns, a_world_may_run_inside_a_program_of_another) {
  struct bodies {
    static task<> short_sleep() { co_await iolite::sleep(1ms); }
    static task<> run_another(simulate::report& out) {
      co_await iolite::sleep(1ms);
      const engine* const before = engine::current();
      simulate::world inner(7);
      inner.run(inner.add_host("inside"), "epoll", short_sleep);
      out = inner.finish();
      simulate::check(engine::current() == before, "the engine is the outer one again");
      co_await iolite::sleep(1ms);
    }
  };
  simulate::report inner;
  simulate::world w(1);
  w.run(w.add_host("outside"), "poll", [&] { return bodies::run_another(inner); });
  const auto r = w.finish();
  EXPECT_TRUE(r.ok()) << r.to_string();
  EXPECT_TRUE(inner.ok()) << inner.to_string();
}

TEST(simulated_turns_death, a_thread_of_the_system_has_no_turn) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  struct bodies {
    static task<> start_thread() {
      const context c = co_await here{};
      std::thread([os = &c.on->os()] { os->gettid(); }).join();
    }
  };
  const auto run = [] {
    simulate::world w(1);
    w.run(w.add_host("host"), "epoll", bodies::start_thread);
    return w.finish().ok();
  };
  EXPECT_DEATH(run(), "a thread of the system makes a system call");
}

}  // namespace
}  // namespace iolite_test
