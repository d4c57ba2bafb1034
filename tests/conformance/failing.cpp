// What the failure of a child does to its siblings, and clean-up that no cancel reaches.
#include "support/engine_test.hpp"

#include <stdexcept>

namespace iolite_test {
namespace {

using namespace iolite;

task<> throws_when(event& e) {
  static_cast<void>(co_await e.wait());
  throw std::runtime_error("from a child");
}
task<result<int>> fails_when(event& e) {
  static_cast<void>(co_await e.wait());
  co_return std::unexpected(std::make_error_code(std::errc::connection_refused));
}

TEST_P(engine, the_first_exception_of_a_child_cancels_its_siblings_if_asked_for) {
  struct body {
    static task<std::string> all(outcome& sibling) {
      event go;
      try {
        co_await in_scope(on_failure::cancel, [&](iolite::scope& children) -> task<> {
          children.spawn(sleeping(1h, sibling));
          children.spawn(throws_when(go));
          go.set();
          co_return;
        });
      } catch (const std::runtime_error& e) {
        co_return e.what();
      }
      co_return "nothing thrown";
    }
  };
  outcome sibling;
  EXPECT_EQ(run(body::all(sibling)), "from a child");
  EXPECT_EQ(sibling.code, std::errc::operation_canceled);
}

TEST_P(engine, the_first_error_of_a_child_cancels_its_siblings_if_asked_for) {
  struct body {
    static task<> all(outcome& sibling, outcome& child) {
      event go;
      co_await in_scope(on_failure::cancel, [&](iolite::scope& children) -> task<> {
        children.spawn(sleeping(1h, sibling));
        auto failing = children.spawn(fails_when(go));
        go.set();
        const auto r = co_await failing;
        child.set(r);
      });
    }
  };
  outcome sibling, child;
  run(body::all(sibling, child));
  EXPECT_EQ(child.code, std::errc::connection_refused);
  EXPECT_EQ(sibling.code, std::errc::operation_canceled);
}

TEST_P(engine, an_error_of_a_child_leaves_its_siblings_alone_otherwise) {
  struct body {
    static task<> all(outcome& sibling) {
      event go;
      go.set();
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(sleeping(2ms, sibling));
        children.spawn(fails_when(go));
        co_return;
      });
    }
  };
  outcome sibling;
  run(body::all(sibling));
  EXPECT_FALSE(sibling.code);
}

// --- shielded() ---

task<result<void>> clean_up(iolite::clock::duration length, outcome& out) {
  const auto slept = co_await iolite::sleep(length);
  out.set(slept);
  co_return slept;
}
task<> work(outcome& cancelled, outcome& cleaned, outcome& after) {
  cancelled.set(co_await iolite::sleep(1h));
  const auto r = co_await shielded(clean_up(2ms, cleaned), within(1h));
  EXPECT_TRUE(r);
  after.set(co_await iolite::sleep(1h));
}

TEST_P(engine, a_cancel_does_not_reach_what_is_shielded) {
  struct body {
    static task<> all(outcome& cancelled, outcome& cleaned, outcome& after) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(work(cancelled, cleaned, after));
        co_await let_others_run();
        children.cancel();
      });
    }
  };
  outcome cancelled, cleaned, after;
  run(body::all(cancelled, cleaned, after));
  EXPECT_EQ(cancelled.code, std::errc::operation_canceled);
  EXPECT_EQ(cleaned.times, 1);
  EXPECT_FALSE(cleaned.code);
  EXPECT_EQ(after.code, std::errc::operation_canceled) << "behind it the cancel holds";
}

TEST_P(engine, a_cancel_that_comes_while_a_part_is_shielded_waits_for_its_end) {
  struct bodies {
    static task<> shields(event& inside, outcome& cleaned, outcome& after) {
      inside.set();
      const auto r = co_await shielded(clean_up(5ms, cleaned), within(1h));
      EXPECT_TRUE(r);
      after.set(co_await iolite::sleep(1h));
    }
    static task<> all(outcome& cleaned, outcome& after) {
      event inside;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(shields(inside, cleaned, after));
        static_cast<void>(co_await inside.wait());
        children.cancel();
      });
    }
  };
  outcome cleaned, after;
  run(bodies::all(cleaned, after));
  EXPECT_FALSE(cleaned.code);
  EXPECT_EQ(after.code, std::errc::operation_canceled);
}

TEST_P(engine, a_limit_outside_does_not_reach_what_is_shielded) {
  struct bodies {
    static task<result<void>> shields(outcome& cleaned) {
      const auto r = co_await shielded(clean_up(10ms, cleaned), within(1h));
      co_return r;
    }
    static task<> all(outcome& cleaned) {
      const auto r = co_await (shields(cleaned) | within(1ms));
      EXPECT_TRUE(r) << "it has ended without having been cut short";
    }
  };
  outcome cleaned;
  run(bodies::all(cleaned));
  EXPECT_FALSE(cleaned.code);
}

TEST_P(engine, what_is_shielded_ends_at_its_own_limit) {
  struct bodies {
    static task<> shields(outcome& inner, outcome& out) {
      const auto r = co_await shielded(clean_up(1h, inner), within(2ms));
      out.set(r);
    }
    static task<> all(outcome& inner, outcome& out) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(shields(inner, out));
        children.cancel();
        co_return;
      });
    }
  };
  outcome inner, out;
  run(bodies::all(inner, out));
  EXPECT_EQ(inner.code, std::errc::operation_canceled);
  EXPECT_EQ(out.code, std::errc::timed_out);
}

TEST_P(engine, a_shielded_transfer_says_good_bye) {
  struct bodies {
    static task<result<std::size_t>> good_bye(stream& to) {
      const auto sent = co_await to.send_all(std::string_view("bye"));
      co_return sent;
    }
    static task<> talks(stream to) {
      const auto got = co_await receive(to);
      EXPECT_FALSE(got);
      const auto sent = co_await shielded(good_bye(to), within(1h));
      EXPECT_TRUE(sent);
    }
    static task<> all(half_pair& pair) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(talks(std::move(pair.ours)));
        co_await let_others_run();
        children.cancel();
      });
    }
  };
  half_pair pair = unix_half(on());
  run(bodies::all(pair));
  EXPECT_EQ(pair.theirs.recv_until_end(), "bye");
}

}  // namespace
}  // namespace iolite_test
