// What an observer is told, and what a traced kernel sees, on every engine.
#include "iolite/observer.hpp"
#include "kernel/traced.hpp"
#include "support/engine_test.hpp"

#include <algorithm>
#include <map>

namespace iolite_test {
namespace {

using namespace iolite;

// Writes down each operation, and that it is told of in order.
class notes final : public observer {
 public:
  struct entry {
    op_kind kind;
    int outcome = 0;
    bool over = false;
  };
  void started(const operation& op) noexcept override {
    EXPECT_FALSE(live_.contains(&op)) << name_of(op.kind) << " starts while it is under way";
    live_[&op] = all.size();
    all.push_back({op.kind});
  }
  void completed(const operation& op) noexcept override {
    ASSERT_TRUE(live_.contains(&op)) << name_of(op.kind) << " ends and has not started";
    entry& e = all[live_.extract(&op).mapped()];
    EXPECT_EQ(op.state, op_state::done);
    e.outcome = op.outcome;
    e.over = true;
  }
  [[nodiscard]] std::vector<entry> of(op_kind kind) const {
    std::vector<entry> out;
    std::ranges::copy_if(all, std::back_inserter(out),
                         [&](const entry& e) { return e.kind == kind; });
    return out;
  }
  std::vector<entry> all;

 private:
  std::map<const operation*, std::size_t> live_;
};

task<> talk(stream a, stream b) {
  std::array<std::byte, 64> buffer{};
  co_await a.send_all("hello");
  co_await b.recv(buffer);
  co_await b.recv(std::span<std::byte>());             // ends before it begins
  co_await (b.recv(buffer) | within(1ms));             // times out
  co_await iolite::sleep(1ms);
  b.close();
  co_await b.recv(buffer);                             // has no descriptor
}

TEST_P(engine, an_observer_is_told_of_each_operation_twice) {
  notes seen;
  on().observe(&seen);
  stream_pair p = unix_streams(on());
  run(talk(std::move(p.a), std::move(p.b)));
  on().observe(nullptr);
  for (const notes::entry& e : seen.all) EXPECT_TRUE(e.over) << name_of(e.kind);
  const auto received = seen.of(op_kind::recv);
  ASSERT_EQ(received.size(), 4U);
  EXPECT_EQ(received[0].outcome, 5);
  EXPECT_EQ(received[1].outcome, 0);
  EXPECT_EQ(received[2].outcome, -ETIMEDOUT);
  EXPECT_EQ(received[3].outcome, -EBADF);
  EXPECT_EQ(seen.of(op_kind::send).size(), 1U);
  EXPECT_EQ(seen.of(op_kind::sleep).size(), 1U);
}

TEST_P(engine, an_observer_is_told_of_a_cancelled_operation) {
  struct body {
    static task<> all(stream_pair p, outcome& out) {
      scope s;
      s.spawn(receiving(std::move(p.b), out));
      co_await let_others_run();
      s.cancel();
      co_await s.join();
    }
  };
  if (traits().blocking) GTEST_SKIP() << "each task has a thread and an engine of its own there";
  notes seen;
  on().observe(&seen);
  outcome out;
  run(body::all(unix_streams(on()), out));
  on().observe(nullptr);
  const auto received = seen.of(op_kind::recv);
  ASSERT_EQ(received.size(), 1U);
  EXPECT_TRUE(received[0].over);
  EXPECT_EQ(received[0].outcome, -ECANCELED);
}

// Each engine, and each of them in a simulated world, where times are exact.
std::vector<std::string> engines_real_and_simulated() {
  std::vector<std::string> out = engine_variants();
  std::ranges::copy(simulated_variants(1), std::back_inserter(out));
  return out;
}
INSTANTIATE_TEST_SUITE_P(trace, engine, testing::ValuesIn(engines_real_and_simulated()),
                         [](const auto& one) { return one.param; });

class log_of_calls final : public traced::sink {
 public:
  struct entry {
    call what;
    clock::time_point begin, end;
    long result;
  };
  void called(call c, const call_args&, clock::time_point begin, clock::time_point end,
              long result) noexcept override {
    all.push_back({c, begin, end, result});
  }
  std::vector<entry> all;
};

TEST_P(engine, a_traced_kernel_sees_every_call_and_when) {
  log_of_calls seen;
  traced os(system_of_test(), seen);
  const auto e = new_engine(os, GetParam(), {});
  seen.all.clear();
  const auto before = now();
  e->run([]() -> task<> { co_await iolite::sleep(5ms); }());
  const auto after = now();
  ASSERT_FALSE(seen.all.empty());
  clock::time_point last = before;
  clock::duration within_calls{};
  for (const auto& c : seen.all) {
    EXPECT_LE(last, c.begin) << name_of(c.what);
    EXPECT_LE(c.begin, c.end) << name_of(c.what);
    last = c.end;
    within_calls += c.end - c.begin;
  }
  EXPECT_LE(last, after);
  // Virtual time passes in calls, and a little in each look at the clock.
  if (is_simulated()) {
    EXPECT_GE(within_calls, 5ms);
    EXPECT_LE(within_calls, after - before);
    EXPECT_LE(after - before - within_calls, 10us);
  }
}

TEST(traced_kernel, hands_on_what_the_call_gives) {
  log_of_calls seen;
  traced os(iolite::kernel::real(), seen);
  EXPECT_EQ(os.close(-1), -EBADF);
  const int fd = os.eventfd(1, 0);
  EXPECT_GE(fd, 0);
  EXPECT_EQ(os.close(fd), 0);
  ASSERT_EQ(seen.all.size(), 3U);
  EXPECT_EQ(seen.all[0].what, call::close);
  EXPECT_EQ(seen.all[0].result, -EBADF);
  EXPECT_EQ(seen.all[1].what, call::eventfd);
  EXPECT_EQ(seen.all[1].result, fd);
  EXPECT_EQ(&os.undecorated(), &iolite::kernel::real());
}

}  // namespace
}  // namespace iolite_test
