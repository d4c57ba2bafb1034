// The pieces that are explored, on real threads and every engine: what the model of memory does not
// have, the thread sanitizer may meet here.
#include "support/engine_test.hpp"

#include <atomic>
#include <thread>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr int rounds = 300;

class stress : public engine {};

task<> wait_for(iolite::event& e, int& seen) {
  const auto r = co_await e.wait();
  if (r) ++seen;
}

TEST_P(stress, events_are_set_by_other_threads) {
  int seen = 0;
  std::atomic<iolite::event*> next = nullptr;
  std::atomic<bool> over = false;
  std::thread other([&] {
    while (!over) {
      if (iolite::event* const e = next.exchange(nullptr)) e->set();
    }
  });
  for (int i = 0; i < rounds; ++i) {
    iolite::event e;
    next = &e;
    run(wait_for(e, seen));
  }
  over = true;
  other.join();
  EXPECT_EQ(seen, rounds);
}

task<> send_all_of(channel<int>& to, int n) {
  for (int i = 0; i < n; ++i) {
    const auto r = co_await to.send(i);
    EXPECT_TRUE(r);
  }
}

task<> add_all_of(channel<int>& from, int& count) {
  for (;;) {
    const auto got = co_await from.receive();
    if (!got) co_return;
    ++count;
  }
}

TEST_P(stress, a_channel_of_one_joins_three_engines) {
  channel<int> values(1);
  std::vector<std::thread> senders;
  for (int i = 0; i < 2; ++i) {
    senders.emplace_back([&] { another()->run(send_all_of(values, rounds)); });
  }
  std::thread closes([&] {
    for (auto& t : senders) t.join();
    values.close();
  });
  int count = 0;
  run(add_all_of(values, count));
  closes.join();
  EXPECT_EQ(count, 2 * rounds);
}

task<> receive_or_cancel(channel<int>& from, int& taken) {
  const auto got = co_await from.receive();
  if (got) ++taken;
}

TEST_P(stress, a_cancel_and_a_value_meet) {
  for (int i = 0; i < rounds / 3; ++i) {
    channel<int> values(1);
    const auto e = another();
    int taken = 0;
    std::thread sends([&] { EXPECT_TRUE(values.try_send(1)); });
    std::thread cancels([&] { e->request_cancel(); });
    e->run(receive_or_cancel(values, taken));
    sends.join();
    cancels.join();
    EXPECT_EQ(taken + static_cast<int>(values.size()), 1);
  }
}

task<> offload_some(int n, int& done) {
  for (int i = 0; i < n; ++i) {
    const auto r = co_await offload([i] { return i; });
    if (r == i) ++done;
  }
}

task<> offload_in_parallel(int& done) {
  scope children;
  std::array<int, 4> each{};
  for (int& n : each) children.spawn(offload_some(rounds / 4, n));
  co_await children.join();
  for (const int n : each) done += n;
}

TEST_P(stress, offloaded_calls_come_back) {
  int done = 0;
  run(offload_in_parallel(done));
  EXPECT_EQ(done, rounds / 4 * 4);
}

INSTANTIATE_TEST_SUITE_P(, stress, testing::ValuesIn(engine_names(true)));

}  // namespace
}  // namespace iolite_test
