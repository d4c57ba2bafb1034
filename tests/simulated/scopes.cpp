// Whatever scopes there are, and in whatever order they end: a report names all who wait in them.
#include "worlds.hpp"

#include <gtest/gtest.h>

#include <array>

namespace iolite_test {
namespace {

using namespace iolite;

struct bodies {
  static task<> wait_for(event& e) { static_cast<void>(co_await e.wait()); }
  // In a scope of its own.
  static task<> wait_in_child(event& e) {
    co_await in_scope([&e](iolite::scope& children) -> task<> {
      children.spawn(wait_for(e));
      co_return;
    });
  }
  // Three scopes begin in this order; the events of some of them are set.
  static task<> end_some(std::array<event, 3>& events, std::vector<std::size_t> set) {
    co_await in_scope([&](iolite::scope& all) -> task<> {
      for (event& e : events) all.spawn(wait_in_child(e));
      for (const std::size_t i : set) {
        co_await iolite::sleep(1ms);
        events[i].set();
      }
    });
  }
};

TEST(simulated_scopes, a_report_names_all_who_wait_whichever_scopes_have_ended) {
  const std::vector<std::vector<std::size_t>> orders = {{},     {0},    {1},    {2},    {0, 1},
                                                        {1, 0}, {0, 2}, {2, 0}, {1, 2}, {2, 1}};
  for (const char* model : {"epoll", "io_uring"}) {
    for (const auto& set : orders) {
      std::array<event, 3> events;
      simulate::world w(1);
      w.run(w.add_host("a"), model, [&] { return bodies::end_some(events, set); });
      const auto r = w.finish();
      EXPECT_EQ(r.how, simulate::ending::dead_lock);
      // The outermost scope, and of each other one its task and its child.
      EXPECT_EQ(r.waiting.size(), 1 + 2 * (3 - set.size())) << r.to_string();
    }
  }
}

}  // namespace
}  // namespace iolite_test
