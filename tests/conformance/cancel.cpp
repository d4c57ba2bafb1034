// The cancel matrix: every kind of operation, cancelled at every moment, completes exactly once.
#include "support/engine_test.hpp"

#include <functional>

namespace iolite_test {
namespace {

using namespace iolite;

// Gives a task that waits for ever by one kind of operation, and writes how that ended. What it
// needs is kept in `kept`, which outlives it.
struct waiting_kind {
  const char* name;
  task<> (*start)(iolite::engine& on, std::vector<std::shared_ptr<void>>& kept, outcome& out);
};

template <class T, class... A>
T& keep(std::vector<std::shared_ptr<void>>& kept, A&&... a) {
  auto made = std::make_shared<T>(std::forward<A>(a)...);
  kept.push_back(made);
  return *made;
}

task<> receiving_all(stream from, outcome& out) {
  const auto r = co_await receive_exactly(from, 10);
  out.set(r);
}
task<> receiving_lease(stream from, outcome& out) {
  const auto r = co_await from.recv_lease();
  out.set(r);
}
task<> channel_receiving(channel<int>& from, outcome& out) {
  const auto r = co_await from.receive();
  out.set(r);
}
task<> channel_sending(channel<int>& to, outcome& out) {
  const auto r = co_await to.send(2);
  out.set(r);
}
task<> becoming_ready(int fd, interest what, outcome& out) {
  const auto r = co_await ready(fd, what);
  out.set(r);
}

using kept_things = std::vector<std::shared_ptr<void>>;

constexpr waiting_kind kinds[] = {
    {"receive",
     [](iolite::engine& on, kept_things& kept, outcome& out) {
       auto& p = keep<half_pair>(kept, unix_half(on));
       return receiving(std::move(p.ours), out);
     }},
    {"receive_over_tcp",
     [](iolite::engine& on, kept_things& kept, outcome& out) {
       auto& p = keep<half_pair>(kept, tcp_half(on));
       return receiving(std::move(p.ours), out);
     }},
    {"receive_all",
     [](iolite::engine& on, kept_things& kept, outcome& out) {
       auto& p = keep<half_pair>(kept, unix_half(on));
       p.theirs.send_all("part");
       return receiving_all(std::move(p.ours), out);
     }},
    {"receive_lease",
     [](iolite::engine& on, kept_things& kept, outcome& out) {
       auto& p = keep<half_pair>(kept, unix_half(on));
       return receiving_lease(std::move(p.ours), out);
     }},
    {"send",
     [](iolite::engine& on, kept_things& kept, outcome& out) {
       auto& p = keep<half_pair>(kept, unix_half(on));
       const std::string& big = keep<std::string>(kept, std::size_t{8} << 20, 'x');
       return sending(std::move(p.ours), big, out);
     }},
    {"accept",
     [](iolite::engine& on, kept_things&, outcome& out) {
       raw_listener l;
       set_nonblocking(l.fd(), on.traits().needs_nonblocking);
       return accepting(listener::adopt(on, l.release()), out);
     }},
    {"connect",
     [](iolite::engine&, kept_things& kept, outcome& out) {
       return connecting(keep<full_listener>(kept).listening.address(), out);
     }},
    {"sleep", [](iolite::engine&, kept_things&,
                 outcome& out) { return sleeping(std::chrono::hours(1), out); }},
    {"event", [](iolite::engine&, kept_things& kept,
                 outcome& out) { return waiting(keep<event>(kept), out); }},
    {"channel_receive",
     [](iolite::engine&, kept_things& kept, outcome& out) {
       return channel_receiving(keep<channel<int>>(kept, 1U), out);
     }},
    {"channel_send",
     [](iolite::engine&, kept_things& kept, outcome& out) {
       auto& full = keep<channel<int>>(kept, 1U);
       full.try_send(1);
       return channel_sending(full, out);
     }},
    {"ready_to_read",
     [](iolite::engine&, kept_things& kept, outcome& out) {
       return becoming_ready(keep<raw_pair>(kept, raw_unix_pair()).a.fd(), interest::read, out);
     }},
    {"ready_to_write",
     [](iolite::engine&, kept_things& kept, outcome& out) {
       auto& p = keep<raw_pair>(kept, raw_unix_pair());
       static_cast<void>(p.a.fill());
       return becoming_ready(p.a.fd(), interest::write, out);
     }},
};

using how = task<> (*)(task<> child);

// Plays `way` for each kind of operation.
void cancel_each(iolite::engine& on, how way, std::errc expected = std::errc::operation_canceled) {
  for (const waiting_kind& k : kinds) {
    SCOPED_TRACE(k.name);
    kept_things kept;
    outcome out;
    task<> child = k.start(on, kept, out);
    on.run(way(std::move(child)));
    EXPECT_EQ(out.times, 1) << "a started operation completes exactly once";
    EXPECT_EQ(out.code, expected) << out.code.message();
  }
}

TEST_P(engine, cancel_before_start_completes_at_once) {
  cancel_each(on(), [](task<> child) -> task<> {
    scope s;
    s.cancel();
    EXPECT_TRUE(s.cancelled());
    s.spawn(std::move(child));
    co_await s.join();
  });
}

TEST_P(engine, cancel_right_after_start_ends_the_operation) {
  cancel_each(on(), [](task<> child) -> task<> {
    scope s;
    s.spawn(std::move(child));
    s.cancel();
    co_await s.join();
  });
}

TEST_P(engine, cancel_while_pending_ends_the_operation) {
  cancel_each(on(), [](task<> child) -> task<> {
    scope s;
    s.spawn(std::move(child));
    co_await let_others_run();
    s.cancel();
    co_await s.join();
    EXPECT_EQ(s.live(), 0);
  });
}

TEST_P(engine, cancel_twice_is_cancel_once) {
  cancel_each(on(), [](task<> child) -> task<> {
    scope s;
    s.spawn(std::move(child));
    co_await let_others_run();
    s.cancel();
    s.cancel();
    co_await s.join();
    s.cancel();
  });
}

TEST_P(engine, cancel_of_the_joining_task_reaches_the_children) {
  struct bodies {
    static task<> middle(task<> child) {
      scope inner;
      inner.spawn(std::move(child));
      co_await inner.join();
    }
  };
  cancel_each(on(), [](task<> child) -> task<> {
    scope outer;
    outer.spawn(bodies::middle(std::move(child)));
    co_await let_others_run();
    outer.cancel();
    co_await outer.join();
  });
}

TEST_P(engine, cancel_of_the_engine_reaches_every_operation) {
  cancel_each(on(), [](task<> child) -> task<> {
    iolite::engine* e = iolite::engine::current();
    e->request_cancel();
    co_await child;
  });
}

TEST_P(engine, a_scope_that_is_cancelled_cancels_later_operations_too) {
  struct bodies {
    static task<> three(stream from, outcome (&out)[3]) {
      const auto one = co_await receive(from);
      out[0].set(one);
      const auto two = co_await receive(from);
      out[1].set(two);
      const auto three = co_await iolite::sleep(1h);
      out[2].set(three);
    }
    static task<> all(stream from, outcome (&out)[3]) {
      scope s;
      s.spawn(three(std::move(from), out));
      co_await let_others_run();
      s.cancel();
      co_await s.join();
    }
  };
  half_pair pair = unix_half(on());
  outcome out[3];
  run(bodies::all(std::move(pair.ours), out));
  for (const outcome& o : out) {
    EXPECT_EQ(o.times, 1);
    EXPECT_EQ(o.code, std::errc::operation_canceled);
  }
}

TEST_P(engine, cancel_of_one_scope_leaves_the_others_alone) {
  struct bodies {
    static task<> all(stream one, stream two, raw_socket& second, outcome& first_out,
                      outcome& second_out) {
      scope a;
      scope b;
      a.spawn(receiving(std::move(one), first_out));
      b.spawn(receiving(std::move(two), second_out));
      co_await let_others_run();
      a.cancel();
      co_await a.join();
      second.send_all("fine");
      co_await b.join();
    }
  };
  half_pair one = unix_half(on());
  half_pair two = unix_half(on());
  outcome first_out;
  outcome second_out;
  run(bodies::all(std::move(one.ours), std::move(two.ours), two.theirs, first_out, second_out));
  EXPECT_EQ(first_out.code, std::errc::operation_canceled);
  EXPECT_EQ(second_out.bytes, "fine");
}

TEST_P(engine, cancel_of_a_hundred_children_ends_them_all) {
  struct bodies {
    static task<> all(std::vector<half_pair>& pairs, std::vector<outcome>& out) {
      scope s;
      for (std::size_t i = 0; i < pairs.size(); ++i)
        s.spawn(receiving(std::move(pairs[i].ours), out[i]));
      co_await let_others_run();
      s.cancel();
      co_await s.join();
    }
  };
  std::vector<half_pair> pairs;
  for (int i = 0; i < 100; ++i) pairs.push_back(unix_half(on()));
  std::vector<outcome> out(pairs.size());
  run(bodies::all(pairs, out));
  for (const outcome& o : out) {
    EXPECT_EQ(o.times, 1);
    EXPECT_EQ(o.code, std::errc::operation_canceled);
  }
}

TEST_P(engine, request_cancel_is_over_with_the_run_it_has_ended) {
  on().request_cancel();  // latched: for the next run
  outcome first, second;
  run(sleeping(1h, first));
  EXPECT_EQ(first.code, std::errc::operation_canceled);
  run(sleeping(1ms, second));
  EXPECT_FALSE(second.code) << "nobody has cancelled this one";
  half_pair pair = unix_half(on());
  pair.theirs.send_all("x");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "x");
}

}  // namespace
}  // namespace iolite_test
