// Breaking a rule of the library stops the program, with one line that says which.
#include "support/engine_test.hpp"

#include "models/backends.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

namespace iolite_test {
namespace {

using namespace iolite;

TEST_P(engine, two_receives_on_one_stream_stop_the_program) {
  if (traits().blocking)
    GTEST_SKIP() << "a waiting receive holds its thread: there is no second one";
  struct bodies {
    static task<> child(stream& from) {
      const auto r = co_await receive(from);
      EXPECT_TRUE(r);
    }
    static task<> all(stream& from) {
      scope s;
      s.spawn(child(from));
      s.spawn(child(from));
      co_await s.join();
    }
  };
  expect_stops(
      [name = GetParam()] {
        auto e = new_engine(name);
        half_pair pair = unix_half(*e);
        e->run(bodies::all(pair.ours));
      },
      "receive");
}

TEST_P(engine, two_sends_on_one_stream_stop_the_program) {
  if (traits().blocking) GTEST_SKIP() << "a waiting send holds its thread: there is no second one";
  struct bodies {
    static task<> child(stream& to, std::string_view big) {
      const auto r = co_await send_text(to, big);
      EXPECT_TRUE(r);
    }
    static task<> all(stream& to, std::string_view big) {
      scope s;
      s.spawn(child(to, big));
      s.spawn(child(to, big));
      co_await s.join();
    }
  };
  expect_stops(
      [name = GetParam()] {
        auto e = new_engine(name);
        half_pair pair = unix_half(*e);
        const std::string big = pattern(8 << 20);
        e->run(bodies::all(pair.ours, big));
      },
      "send");
}

TEST_P(engine, two_accepts_on_one_listener_stop_the_program) {
  if (traits().blocking)
    GTEST_SKIP() << "a waiting accept holds its thread: there is no second one";
  struct bodies {
    static task<> child(listener& from) {
      const auto r = co_await from.accept();
      EXPECT_TRUE(r);
    }
    static task<> all(listener& from) {
      scope s;
      s.spawn(child(from));
      s.spawn(child(from));
      co_await s.join();
    }
  };
  expect_stops(
      [name = GetParam()] {
        auto e = new_engine(name);
        raw_listener raw;
        set_nonblocking(raw.fd(), true);
        listener l = listener::adopt(*e, raw.release());
        e->run(bodies::all(l));
      },
      "accept");
}

TEST_P(engine, a_scope_left_unjoined_stops_the_program) {
  struct bodies {
    static task<> all() {
      outcome out;
      scope s;
      s.spawn(sleeping(1h, out));
      co_return;
    }
  };
  expect_stops(
      [name = GetParam()] {
        auto e = new_engine(name);
        e->run(bodies::all());
      },
      "join");
}

TEST_P(engine, a_task_awaited_twice_stops_the_program) {
  struct bodies {
    static task<int> number() { co_return 1; }
    static task<> all() {
      auto once = number();
      static_cast<void>(co_await once);
      static_cast<void>(co_await once);
    }
  };
  expect_stops([name = GetParam()] { new_engine(name)->run(bodies::all()); }, "awaited once");
}

TEST_P(engine, an_event_destroyed_while_a_task_waits_stops_the_program) {
  if (traits().blocking) GTEST_SKIP() << "whether the thread of the child waits is not known";
  struct bodies {
    static task<> all() {
      outcome out;
      std::optional<event> e;
      scope s;
      s.spawn(waiting(e.emplace(), out));
      e.reset();
      co_await s.join();
    }
  };
  expect_stops([name = GetParam()] { new_engine(name)->run(bodies::all()); }, "outlives");
}

TEST_P(engine, an_engine_destroyed_before_its_scope_stops_the_program) {
  expect_stops(
      [name = GetParam()] {
        auto e = new_engine(name);
        const scope s(*e);
        e.reset();
      },
      "a scope ends before its engine");
}

TEST_P(engine, a_spawn_on_another_thread_stops_the_program) {
  if (traits().blocking) GTEST_SKIP() << "children are threads there, and may start others";
  struct bodies {
    static void* spawns(void* children) {
      static outcome out;
      static_cast<scope*>(children)->spawn(sleeping(1ms, out));
      return nullptr;
    }
    static task<> all() {
      scope s;
      pthread_t other{};
      pthread_create(&other, nullptr, spawns, &s);
      pthread_join(other, nullptr);
      co_await s.join();
    }
  };
  expect_stops([name = GetParam()] { new_engine(name)->run(bodies::all()); }, "thread");
}

TEST_P(engine, destroying_a_task_that_waits_stops_the_program) {
  if (traits().blocking)
    GTEST_SKIP() << "the task that waits holds the thread that would destroy it";
  // A coroutine nobody owns starts the task, so that the test can destroy it half-way.
  struct bodies {
    static task<> waits() {
      const auto r = co_await iolite::sleep(1h);
      EXPECT_TRUE(r);
    }
    static task<> starts(std::optional<task<>>& child) {
      task<>& it = *child;
      co_await it;
    }
    static task<> all(std::optional<task<>>& child) {
      scope s;
      s.spawn(starts(child));
      child.reset();
      co_await s.join();
    }
  };
  expect_stops(
      [name = GetParam()] {
        auto e = new_engine(name);
        std::optional<task<>> child;
        child.emplace(bodies::waits());
        e->run(bodies::all(child));
      },
      "frame");
}

TEST_P(engine, a_pool_destroyed_before_its_leases_stops_the_program) {
  struct body {
    static task<lease> take(stream& from) {
      auto got = co_await from.recv_lease();
      co_return std::move(*got);
    }
  };
  expect_stops(
      [name = GetParam()] {
        auto e = new_engine(name);
        half_pair pair = unix_half(*e);
        pair.theirs.send_all("x");
        const lease kept = e->run(body::take(pair.ours));
        pair.ours.close();
        e.reset();
      },
      "lease");
}

TEST_P(engine, run_within_run_stops_the_program) {
  struct bodies {
    static task<> inner() { co_return; }
    static task<> all() {
      iolite::engine::current()->run(inner());
      co_return;
    }
  };
  expect_stops(
      [name = GetParam()] {
        auto e = new_engine(name);
        e->run(bodies::all());
      },
      "run");
}

// An engine does not survive fork(2); the parent's goes on.
TEST_P(engine, a_child_of_fork_that_uses_the_engine_stops_and_the_parent_goes_on) {
  half_pair pair = unix_half(on());
  pair.theirs.send_all("before");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "before");
  expect_stops([&] { static_cast<void>(run(receive(pair.ours))); }, "fork");
  pair.theirs.send_all("after");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "after");
}

TEST_P(engine, a_child_of_fork_that_leaves_the_engine_alone_may_exit) {
  half_pair pair = unix_half(on());
  pair.theirs.send_all("before");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "before");
  const child_end end = run_in_child([] {});
  EXPECT_EQ(end.exit_status, 0) << end.errors;
  pair.theirs.send_all("after");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "after");
}

// The set of epoll(7), O_ASYNC of a file, the queue of a ring, a socket's file: all are shared.
TEST_P(engine, a_child_of_fork_that_closes_what_it_inherited_leaves_it_to_its_parent) {
  if (is_simulated()) GTEST_SKIP() << "fork(2) is not simulated";
  const std::string path = testing::TempDir() + "iolite-inherited-" + std::to_string(::getpid());
  auto l = listener::open(on(), *endpoint::parse("unix:" + path));
  ASSERT_TRUE(l) << l.error().message;
  half_pair pair = unix_half(on());
  EXPECT_FALSE(run(receive_within(pair.ours, 1ms))) << "it has waited, and so it is watched";
  const child_end end = run_in_child([&] {
    pair.ours.close();
    l->close();
  });
  EXPECT_EQ(end.exit_status, 0) << end.errors;
  const std::uint64_t missed = on().stats().missed_events;
  pair.theirs.send_all("after");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "after");
  EXPECT_EQ(on().stats().missed_events, missed) << "only a second look has found it";
  EXPECT_TRUE(run(stream::connect(*endpoint::parse("unix:" + path))));
}

TEST_P(engine, a_child_of_fork_may_make_an_engine_of_its_own) {
  half_pair pair = unix_half(on());
  pair.theirs.send_all("one");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "one");
  if (is_simulated()) GTEST_SKIP() << "fork(2) is not simulated";
  const child_end end = run_in_child([name = std::string(on().name())] {
    auto made = make_engine_on(iolite::kernel::real(), name);
    if (!made) ::_exit(made.error().message.find("fork") == std::string::npos ? 3 : 4);
    auto e = std::move(*made);
    half_pair own = unix_half(*e);
    own.theirs.send_all("child");
    EXPECT_EQ(e->run(receive(own.ours)).value_or("error"), "child");
  });
  // Where it cannot, it says so in one line: its making failed, the child did not hang.
  EXPECT_EQ(end.exit_status, on().traits().after_fork ? 0 : 4) << end.errors;
  pair.theirs.send_all("two");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "two");
}

TEST_P(engine, another_thread_that_runs_the_engine_stops_the_program) {
  expect_stops(
      [name = GetParam()] {
        auto e = new_engine(name);
        outcome out;
        e->run(sleeping(0ms, out));
        struct thread_body {
          static void* go(void* engine_of_other) {
            outcome inner;
            static_cast<iolite::engine*>(engine_of_other)->run(sleeping(0ms, inner));
            return nullptr;
          }
        };
        pthread_t other{};
        pthread_create(&other, nullptr, thread_body::go, e.get());
        pthread_join(other, nullptr);
      },
      "thread");
}

// What another thread does to a stream while its engine runs here.
void expect_stops_on_another_thread(const std::string& name, void* (*what)(void*),
                                    const char* words) {
  struct body {
    static task<> all(half_pair& p, void* (*what)(void*)) {
      EXPECT_TRUE(p.theirs.send_all("x"));
      auto lent = co_await p.ours.recv_lease();
      EXPECT_TRUE(lent);
      std::pair<stream*, lease*> both{&p.ours, &*lent};
      pthread_t other{};
      pthread_create(&other, nullptr, what, &both);
      pthread_join(other, nullptr);
    }
  };
  expect_stops(
      [&] {
        auto e = new_engine(name);
        half_pair pair = unix_half(*e);
        e->run(body::all(pair, what));
      },
      words);
}

TEST_P(engine, a_stream_that_another_thread_closes_stops_the_program) {
  if (traits().blocking) GTEST_SKIP() << "two threads may share a stream there";
  using both = std::pair<stream*, lease*>;
  const auto close = [](void* of) -> void* {
    static_cast<both*>(of)->first->close();
    return nullptr;
  };
  const auto end = [](void* of) -> void* {
    static_cast<void>(static_cast<both*>(of)->first->shutdown_write());
    return nullptr;
  };
  const auto move = [](void* of) -> void* {
    const stream taken = std::move(*static_cast<both*>(of)->first);
    return nullptr;
  };
  expect_stops_on_another_thread(GetParam(), close, "on the thread of its engine");
  expect_stops_on_another_thread(GetParam(), end, "on the thread of its engine");
  expect_stops_on_another_thread(GetParam(), move, "on the thread of its engine");
}

TEST_P(engine, a_lease_that_another_thread_gives_back_stops_the_program) {
  const auto give = [](void* of) -> void* {
    static_cast<std::pair<stream*, lease*>*>(of)->second->release();
    return nullptr;
  };
  expect_stops_on_another_thread(GetParam(), give, "on the thread of its engine");
}

TEST_P(engine, a_stream_that_outlives_its_engine_stops_the_program) {
  expect_stops(
      [name = GetParam()] {
        auto e = new_engine(name);
        half_pair pair = unix_half(*e);
        e.reset();
      },
      "a stream is closed before its engine is destroyed");
}

}  // namespace
}  // namespace iolite_test
