// What one receive and one send promise: how much, of what, and when.
#include "support/engine_test.hpp"

#include "kernel/faulty.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

TEST_P(engine, receive_gives_what_has_arrived_and_no_more) {
  half_pair pair = unix_half(on());
  pair.theirs.send_all("hello");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "hello");
}

TEST_P(engine, receive_takes_at_most_the_size_of_the_buffer) {
  half_pair pair = tcp_half(on());
  pair.theirs.send_all("abcdefgh");
  EXPECT_EQ(run(receive(pair.ours, 3)).value_or("error"), "abc");
  EXPECT_EQ(run(receive(pair.ours, 5)).value_or("error"), "defgh");
}

TEST_P(engine, receive_into_an_empty_buffer_gives_zero_at_once) {
  half_pair pair = unix_half(on());
  EXPECT_EQ(run(receive(pair.ours, 0)).value_or("error"), "");
  pair.theirs.send_all("x");
  EXPECT_EQ(run(receive(pair.ours, 0)).value_or("error"), "");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "x");
}

TEST_P(engine, receive_waits_for_bytes_that_come_later) {
  half_pair pair = unix_half(on());
  struct bodies {
    static task<> both(stream ours, raw_socket& theirs, outcome& out) {
      scope children;
      children.spawn(receiving(std::move(ours), out));
      co_await let_others_run();
      theirs.send_all("late");
      co_await children.join();
    }
  };
  outcome out;
  run(bodies::both(std::move(pair.ours), pair.theirs, out));
  EXPECT_EQ(out.times, 1);
  EXPECT_EQ(out.bytes, "late");
}

TEST_P(engine, send_of_nothing_ends_at_once) {
  half_pair pair = unix_half(on());
  EXPECT_TRUE(run(send_text(pair.ours, "")));
  pair.ours.close();
  EXPECT_EQ(pair.theirs.recv_until_end(), "");
}

TEST_P(engine, send_some_takes_at_least_one_byte_and_says_how_many) {
  half_pair pair = unix_half(on());
  struct body {
    static task<std::size_t> some(stream& to, std::string_view all) {
      const auto n = co_await to.send_some(std::as_bytes(std::span(all)));
      co_return n.value_or(0);
    }
  };
  const std::string big = pattern(8 << 20);
  const std::size_t taken = run(body::some(pair.ours, big));
  EXPECT_GT(taken, 0U);
  EXPECT_LE(taken, big.size());
  std::string received;
  other_thread reader([&] { received = pair.theirs.recv_until_end(); });
  pair.ours.close();
  reader.join();
  EXPECT_EQ(received.size(), taken);
  EXPECT_TRUE(big.starts_with(received));
}

TEST_P(engine, send_all_carries_on_through_full_buffers) {
  half_pair pair = unix_half(on());
  const std::string big = pattern(8 << 20);
  std::string received;
  other_thread reader([&] { received = pair.theirs.recv_until_end(); });
  EXPECT_TRUE(run(send_text(pair.ours, big)));
  pair.ours.close();
  reader.join();
  EXPECT_TRUE(received == big);
}

TEST_P(engine, send_all_gives_the_size_it_was_asked_for) {
  half_pair pair = tcp_half(on());
  struct body {
    static task<std::size_t> all(stream& to, std::string_view text) {
      const auto n = co_await to.send_all(text);
      co_return n.value_or(0);
    }
  };
  EXPECT_EQ(run(body::all(pair.ours, "twelve bytes")), 12U);
}

TEST_P(engine, receive_all_waits_until_the_buffer_is_full) {
  half_pair pair = tcp_half(on());
  const std::string all = pattern(200'000);
  other_thread writer([&] {
    for (std::size_t at = 0; at < all.size(); at += 777)
      pair.theirs.send_all(std::string_view(all).substr(at, 777));
  });
  const auto got = run(receive_exactly(pair.ours, all.size()));
  writer.join();
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_TRUE(*got == all);
}

TEST_P(engine, receive_all_of_nothing_ends_at_once) {
  half_pair pair = unix_half(on());
  EXPECT_TRUE(run(receive_exactly(pair.ours, 0)));
}

TEST_P(engine, receive_all_tells_that_the_stream_ended_before) {
  half_pair pair = unix_half(on());
  pair.theirs.send_all("abc");
  pair.theirs.close();
  const auto got = run(receive_exactly(pair.ours, 4));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(), make_error_code(errc::end_of_stream));
}

// How an interrupted recv_all is carried on: `moved` says how far it got.
struct partial {
  std::error_code code;
  std::size_t moved = 0;
  std::string buffer;
};
task<partial> receive_all_for(stream& from, std::size_t size, iolite::clock::duration limit) {
  partial out;
  out.buffer.assign(size, '.');
  auto all = from.recv_all(bytes_of(out.buffer));
  const auto r = co_await (all | within{limit});
  if (!r) out.code = r.error();
  out.moved = all.moved;
  co_return out;
}

TEST_P(engine, send_all_that_times_out_tells_how_many_bytes_are_out) {
  half_pair pair = unix_half(on());
  const std::string whole = pattern(8 << 20);
  struct body {
    static task<std::size_t> send(stream& to, const std::string& text) {
      auto all = to.send_all(std::as_bytes(std::span(text)));
      const auto r = co_await (all | within{20ms});
      EXPECT_FALSE(r);
      co_return all.moved;
    }
  };
  const std::size_t moved = run(body::send(pair.ours, whole));
  EXPECT_LT(moved, whole.size());
  std::string received;
  other_thread reader([&] { received = pair.theirs.recv_until_end(); });
  pair.ours.close();
  reader.join();
  EXPECT_EQ(received.size(), moved);
}

TEST_P(engine, receive_all_that_times_out_tells_how_many_bytes_it_has) {
  half_pair pair = unix_half(on());
  pair.theirs.send_all("abc");
  const partial p = run(receive_all_for(pair.ours, 5, 20ms));
  EXPECT_EQ(p.code, std::errc::timed_out);
  EXPECT_EQ(p.moved, 3U);
  EXPECT_EQ(p.buffer, "abc..");
  pair.theirs.send_all("de");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "de");
}

TEST_P(engine, a_receive_that_timed_out_is_awaited_once_more) {
  struct body {
    static task<> check(half_pair& pair) {
      std::string into(8, '.');
      auto receive = pair.ours.recv(bytes_of(into));
      const auto none = co_await (receive | within{5ms});
      EXPECT_EQ(none ? std::error_code() : none.error(), std::errc::timed_out);
      pair.theirs.send_all("late");
      const auto n = co_await (receive | within{10s});
      EXPECT_EQ(n.value_or(0), 4U);
      EXPECT_EQ(into, "late....");
    }
  };
  half_pair pair = unix_half(on());
  run(body::check(pair));
}

TEST_P(engine, receive_all_that_meets_the_end_keeps_the_bytes_before_it) {
  half_pair pair = unix_half(on());
  pair.theirs.send_all("ab");
  pair.theirs.close();
  const partial p = run(receive_all_for(pair.ours, 3, 10s));
  EXPECT_EQ(p.code, make_error_code(errc::end_of_stream));
  EXPECT_EQ(p.moved, 2U);
  EXPECT_EQ(p.buffer, "ab.");
}

TEST_P(engine, receive_all_through_shortened_receives) {
  on_faulty({{.what = call::recv, .times = fault::for_ever, .shorten_to = 3}});
  half_pair pair = unix_half(on());  // over TCP a short receive says that no more is there
  const std::string all = pattern(1000);
  pair.theirs.send_all(all + "next");
  const auto waits = on().stats().waits;
  EXPECT_EQ(run(receive_exactly(pair.ours, 1000)).value_or("error"), all);
  EXPECT_LT(on().stats().waits - waits, 200U) << "what is there is not waited for";
  EXPECT_EQ(run(receive_exactly(pair.ours, 4)).value_or("error"), "next");
}

// Ready, and yet nothing there: each time the wait goes on.
TEST_P(engine, receive_survives_readiness_that_was_not_true) {
  if (traits().blocking) GTEST_SKIP() << "a waiting receive never says EAGAIN on a blocking engine";
  faulty& os = on_faulty({{.what = call::recv, .nth = 1, .times = 4, .error = EAGAIN}});
  struct bodies {
    static task<> child(stream& from, outcome& out) {
      const auto r = co_await receive(from);
      out.set(r);
    }
    static task<> all(half_pair& pair, outcome& out) {
      scope s;
      s.spawn(child(pair.ours, out));
      while (out.times == 0) {  // an event each
        pair.theirs.send_all("x");
        co_await iolite::sleep(1ms);
      }
      co_await s.join();
    }
  };
  half_pair pair = unix_half(on());
  outcome out;
  run(bodies::all(pair, out));
  EXPECT_FALSE(out.code) << out.code.message();
  EXPECT_EQ(out.bytes.find_first_not_of('x'), std::string::npos);
  if (os.calls(call::recv) > 0) {
    EXPECT_EQ(os.injected(), 4U);
  }
}

TEST_P(engine, both_directions_of_one_stream_at_once) {
  if (traits().blocking) GTEST_SKIP() << "two tasks may not share a stream where each has a thread";
  stream_pair pair = tcp_streams(on());
  struct bodies {
    static task<> write(stream& to, const std::string& all) {
      const auto r = co_await send_text(to, all);
      EXPECT_TRUE(r);
      EXPECT_TRUE(to.shutdown_write());
    }
    static task<> read(stream& from, std::string& out) {
      const auto r = co_await receive_until_end(from);
      out = r.value_or("error");
    }
    static task<> all(stream_pair& p, const std::string& ab, const std::string& ba,
                      std::string& at_a, std::string& at_b) {
      scope children;
      children.spawn(write(p.a, ab));
      children.spawn(write(p.b, ba));
      children.spawn(read(p.a, at_a));
      children.spawn(read(p.b, at_b));
      co_await children.join();
    }
  };
  const std::string ab = pattern(4 << 20, 1);
  const std::string ba = pattern(4 << 20, 2);
  std::string at_a;
  std::string at_b;
  run(bodies::all(pair, ab, ba, at_a, at_b));
  EXPECT_TRUE(at_a == ba);
  EXPECT_TRUE(at_b == ab);
}

TEST_P(engine, a_stream_moves_from_task_to_task) {
  half_pair pair = unix_half(on());
  struct bodies {
    static task<stream> read_one(stream s, std::string& out) {
      const auto r = co_await receive(s, 1);
      out += r.value_or("!");
      co_return s;
    }
    static task<> child(stream s, std::string& out) {
      stream back = co_await read_one(std::move(s), out);
      stream again = co_await read_one(std::move(back), out);
      EXPECT_FALSE(back.is_open());
      EXPECT_TRUE(again.is_open());
    }
    static task<> all(stream s, std::string& out) {
      stream here = co_await read_one(std::move(s), out);
      scope children;
      children.spawn(child(std::move(here), out));
      co_await children.join();
    }
  };
  pair.theirs.send_all("abc");
  std::string out;
  run(bodies::all(std::move(pair.ours), out));
  EXPECT_EQ(out, "abc");
  EXPECT_EQ(pair.theirs.recv_until_end(), "");
}

TEST_P(engine, a_released_stream_leaves_the_descriptor_open) {
  half_pair pair = unix_half(on());
  pair.theirs.send_all("for the library");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "for the library");
  const raw_socket ours(pair.ours.release());
  EXPECT_FALSE(pair.ours.is_open());
  ours.set_blocking(true);
  pair.theirs.send_all("for others");
  EXPECT_EQ(ours.recv_some(), "for others");
}

// An operation that is kept in a variable outlives the temporary it was made from.
TEST_P(engine, what_is_sent_from_a_temporary_is_kept_until_it_is_sent) {
  struct body {
    static std::vector<std::byte> bytes(char c) {
      return std::vector<std::byte>(1000, static_cast<std::byte>(c));
    }
    static task<> check(stream& to) {
      auto text = to.send_all(std::string(1000, 'a'));
      auto binary = to.send_all(bytes('b'));
      auto array = to.send_all(std::array<std::byte, 2>{std::byte{'c'}, std::byte{'c'}});
      const std::string d(1000, 'd');
      const piece whole = std::as_bytes(std::span(d));
      auto pieces = to.send_all(std::vector<piece>{whole, whole});
      frames messages(to);
      auto message = messages.send(std::string(1000, 'e'));
      const std::string reused_stack_and_heap(1000, '!');
      EXPECT_TRUE(co_await text);
      EXPECT_TRUE(co_await binary);
      EXPECT_TRUE(co_await array);
      EXPECT_TRUE(co_await pieces);
      EXPECT_TRUE(co_await message);
      EXPECT_TRUE(co_await (to.send_all(std::string(1000, 'f')) | within(10s)));
      EXPECT_EQ(reused_stack_and_heap.size(), 1000U);
    }
  };
  half_pair p = unix_half(on());
  run(body::check(p.ours));
  p.ours.close();
  using namespace std::string_literals;
  EXPECT_EQ(p.theirs.recv_until_end(), std::string(1000, 'a') + std::string(1000, 'b') + "cc" +
                                           std::string(2000, 'd') + "\0\0\3\xe8"s +
                                           std::string(1000, 'e') + std::string(1000, 'f'));
}

}  // namespace
}  // namespace iolite_test
