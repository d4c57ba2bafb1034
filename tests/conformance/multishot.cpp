// Receives that stand: one submission brings message after message, also such as nobody has asked
// for. The rest of the suite runs with them, too; this is what they alone have.
#include "kernel/kernel.hpp"
#include "support/engine_test.hpp"
#include "support/system.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>

namespace iolite_test {
namespace {

using namespace iolite;

bool stand_at_once(iolite::engine& on) {
  half_pair pair = unix_half(on);
  pair.theirs.send_all("message");
  EXPECT_EQ(on.run(receive(pair.ours)).value_or("nothing"), "message");
  return on.stats().multishot_receives > 0;
}

// How many messages were brought by receives that stand.
std::uint64_t brought() { return iolite::engine::current()->stats().multishot_receives; }

// Lets the loop look until so many messages have been brought.
task<> wait_until_brought(std::uint64_t messages) {
  while (brought() < messages) co_await iolite::sleep(1us);
}

// So many messages one after the other, each sent when its receive has been waiting for some turns.
task<> exchange_slowly(half_pair& pair, int messages) {
  struct body {
    static task<> answer(stream& other, const raw_socket& peer) {
      for (int i = 0; i < 3; ++i) {
        co_await send_text(other, ".");
        co_await receive_exactly(other, 1);
      }
      peer.send_all("message");
    }
  };
  iolite::engine& on = *iolite::engine::current();
  stream_pair others = unix_streams(on);
  for (const stream* other : {&others.a, &others.b})  // theirs go by themselves
    EXPECT_TRUE(on.take_nothing_ahead(other->native_handle()));
  scope s;
  s.spawn(echo(std::move(others.b)));
  for (int i = 0; i < messages; ++i) {
    scope one;
    one.spawn(body::answer(others.a, pair.theirs));
    const auto got = co_await receive_exactly(pair.ours, 7);
    EXPECT_EQ(got.value_or("nothing"), "message");
    co_await one.join();
  }
  others.a.close();
  co_await s.join();
}

TEST_P(engine, receives_that_have_to_wait_come_to_stand_for_a_while) {
  if (!GetParam().starts_with("io_uring")) GTEST_SKIP() << "its receives never stand";
  if (is_simulated()) GTEST_SKIP() << "a simulated ring may have none that stand";
  if (stand_at_once(on())) GTEST_SKIP() << "its receives stand from the first on";
  if (std::ranges::count(engine_variants(), "io_uring_multishot") == 0) {
    GTEST_SKIP() << "this kernel has none that stand";
  }
  struct body {
    static task<> check(half_pair& pair) {
      co_await exchange_slowly(pair, 4);
      EXPECT_EQ(brought(), 0U);
      co_await exchange_slowly(pair, 20);
      EXPECT_GT(brought(), 10U);
      co_await exchange_slowly(pair, 600);
      EXPECT_GT(brought(), 500U);
      EXPECT_LT(brought(), 620U);
    }
  };
  half_pair pair = unix_half(on());
  run(body::check(pair));
}

TEST_P(engine, large_messages_do_not_stand_where_they_would_have_to_be_copied) {
  if (!stand_at_once(on())) GTEST_SKIP() << "its receives do not stand";
  struct body {
    static task<> check(half_pair& pair) {
      const std::string message = pattern(5000);
      const std::uint64_t before = brought();
      for (int i = 0; i < 10; ++i) {
        pair.theirs.send_all(message);
        const auto got = co_await receive_exactly(pair.ours, message.size());
        EXPECT_TRUE(got == message);
      }
      EXPECT_LE(brought() - before, 2U);
    }
  };
  half_pair pair = unix_half(on());
  run(body::check(pair));
}

TEST_P(engine, what_came_before_it_was_asked_for_is_received_in_order) {
  if (!stand_at_once(on())) GTEST_SKIP() << "its receives do not stand";
  struct body {
    static task<> check(half_pair& pair) {
      const std::uint64_t before = brought();
      pair.theirs.send_all("first");
      EXPECT_EQ((co_await receive(pair.ours)).value_or("?"), "first");
      pair.theirs.send_all("second");
      co_await wait_until_brought(before + 2);
      pair.theirs.send_all("third");
      co_await wait_until_brought(before + 3);
      EXPECT_EQ((co_await receive(pair.ours, 3)).value_or("?"), "sec");
      {
        const auto rest = co_await pair.ours.recv_lease();
        EXPECT_TRUE(rest && std::ranges::equal(rest->bytes(), std::as_bytes(std::span("ond", 3))));
      }
      EXPECT_EQ((co_await receive_exactly(pair.ours, 5)).value_or("?"), "third");
    }
  };
  half_pair pair = unix_half(on());
  run(body::check(pair));
}

// Both are filled into buffers of the same pool, and the kernel tells of them in no common order.
TEST_P(engine, receives_that_stand_and_others_do_not_mix_their_messages) {
  if (!stand_at_once(on())) GTEST_SKIP() << "its receives do not stand";
  struct body {
    static task<> leased(stream& from, const std::string& expected) {
      const auto got = co_await from.recv_lease();
      EXPECT_TRUE(got && std::ranges::equal(got->bytes(), std::as_bytes(std::span(expected))));
    }
    static task<> check(iolite::engine& on) {
      std::vector<half_pair> pairs;
      for (int i = 0; i < 6; ++i) pairs.push_back(unix_half(on));
      for (std::size_t i = 0; i < pairs.size(); i += 2)
        EXPECT_TRUE(on.take_nothing_ahead(pairs[i].ours.native_handle()));
      for (int round = 0; round < 50; ++round) {
        scope s;
        std::vector<std::string> texts;
        for (std::size_t i = 0; i < pairs.size(); ++i)
          texts.push_back("message " + std::to_string(round) + " of " + std::to_string(i));
        for (std::size_t i = 0; i < pairs.size(); ++i) s.spawn(leased(pairs[i].ours, texts[i]));
        co_await let_others_run();
        for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i].theirs.send_all(texts[i]);
        co_await s.join();
      }
    }
  };
  run(body::check(on()));
}

TEST_P(engine, the_end_of_a_stream_comes_after_what_came_before_it) {
  if (!stand_at_once(on())) GTEST_SKIP() << "its receives do not stand";
  struct body {
    static task<> check(half_pair& pair) {
      const std::uint64_t before = brought();
      pair.theirs.send_all("first");
      EXPECT_EQ((co_await receive(pair.ours)).value_or("?"), "first");
      pair.theirs.send_all("last");
      pair.theirs.half_close();
      co_await wait_until_brought(before + 2);
      EXPECT_EQ((co_await receive(pair.ours)).value_or("?"), "last");
      EXPECT_EQ((co_await receive(pair.ours)).value_or("?"), "");
      EXPECT_EQ((co_await receive(pair.ours)).value_or("?"), "");
    }
  };
  half_pair pair = tcp_half(on());
  run(body::check(pair));
}

TEST_P(engine, a_stream_that_is_closed_ends_for_its_peer) {
  struct body {
    static task<> check(iolite::engine& on) {
      stream_pair pair = tcp_streams(on);
      EXPECT_TRUE(co_await send_text(pair.a, "hello"));
      EXPECT_EQ((co_await receive(pair.b)).value_or("?"), "hello");
      pair.b.close();
      EXPECT_EQ((co_await receive_within(pair.a, 5s)).value_or("no end"), "");
    }
  };
  run(body::check(on()));
}

TEST_P(engine, a_stream_is_released_once_what_came_is_received) {
  struct body {
    static task<int> check(half_pair& pair, bool stands) {
      const std::uint64_t before = brought();
      pair.theirs.send_all("first");
      EXPECT_EQ((co_await receive(pair.ours)).value_or("?"), "first");
      pair.theirs.send_all("second");
      if (stands) {
        co_await wait_until_brought(before + 2);
        EXPECT_EQ(pair.ours.release(), -EBUSY);
        EXPECT_TRUE(pair.ours.is_open());
        EXPECT_EQ((co_await receive(pair.ours)).value_or("?"), "second");
        pair.theirs.send_all("third");
        for (int i = 0; i < 3; ++i) co_await iolite::sleep(1us);
      }
      co_return pair.ours.release();
    }
  };
  half_pair pair = unix_half(on());
  const bool stands = stand_at_once(on());
  const int fd = run(body::check(pair, stands));
  ASSERT_GE(fd, 0);
  stream again = adopt(on(), fd);
  EXPECT_EQ(run(receive(again)).value_or("?"), stands ? "third" : "second");
}

TEST_P(engine, what_came_before_it_was_asked_for_is_readiness) {
  if (!stand_at_once(on())) GTEST_SKIP() << "its receives do not stand";
  struct body {
    static task<> check(half_pair& pair) {
      const std::uint64_t before = brought();
      const int fd = pair.ours.native_handle();
      pair.theirs.send_all("first");
      EXPECT_EQ((co_await receive(pair.ours)).value_or("?"), "first");
      pair.theirs.send_all("second");
      co_await wait_until_brought(before + 2);
      EXPECT_EQ((co_await ready(fd, interest::write)).value_or(interest::none), interest::write);
      EXPECT_EQ((co_await ready(fd, interest::read)).value_or(interest::none), interest::read);
      EXPECT_EQ((co_await receive(pair.ours)).value_or("?"), "second");
      const auto nothing = co_await (ready(fd, interest::read) | within(1ms));
      EXPECT_EQ(nothing.error(), std::errc::timed_out);
      pair.theirs.send_all("third");
      EXPECT_EQ((co_await ready(fd, interest::read)).value_or(interest::none), interest::read);
      EXPECT_EQ((co_await receive(pair.ours)).value_or("?"), "third");
    }
  };
  half_pair pair = unix_half(on());
  run(body::check(pair));
}

// However little each of them has sent: others would find no buffer.
TEST_P(engine, peers_that_nobody_listens_to_leave_buffers_for_the_others) {
  if (!stand_at_once(on())) GTEST_SKIP() << "its receives do not stand";
  struct body {
    static task<> check(iolite::engine& on) {
      std::vector<half_pair> silent;
      for (int i = 0; i < 300; ++i) {
        silent.push_back(unix_half(on));
        silent.back().theirs.send_all("first");
        EXPECT_EQ((co_await receive(silent.back().ours)).value_or("?"), "first");
      }
      half_pair busy = unix_half(on);
      const std::string message = pattern(64 * 1024);
      for (const half_pair& one : silent) {
        one.theirs.send_all("nobody asks for this");
        other_thread writer([&] { busy.theirs.send_all(message); });
        std::size_t got = 0;
        while (got < message.size()) {
          const auto part = co_await (busy.ours.recv_lease() | within(5s));
          EXPECT_TRUE(part && !part->empty()) << (part ? "the end" : part.error().message());
          if (!part || part->empty()) break;
          got += part->bytes().size();
        }
        writer.join();
        if (got < message.size()) co_return;
      }
      for (half_pair& one : silent)
        EXPECT_EQ((co_await receive(one.ours)).value_or("?"), "nobody asks for this");
    }
  };
  run(body::check(on()));
}

// Whoever is told that there is no buffer: once there are some, all go on.
TEST_P(engine, receives_that_stood_go_on_when_buffers_come_back) {
  if (!stand_at_once(on())) GTEST_SKIP() << "its receives do not stand";
  struct body {
    static task<> leased(stream& from, outcome& out) {
      const auto got = co_await (from.recv_lease() | within(5s));
      out.set(got ? std::error_code() : got.error());
    }
    static task<std::vector<lease>> all_buffers(half_pair& pair) {
      const std::string message = pattern(32 * 1024);
      std::vector<lease> kept;
      for (;;) {
        pair.theirs.send_all(message);
        auto got = co_await (pair.ours.recv_lease() | within(1ms));
        if (!got) co_return kept;
        kept.push_back(std::move(*got));
      }
    }
    static task<> check(iolite::engine& on) {
      std::vector<half_pair> pairs;
      std::vector<outcome> outcomes(12);
      for (std::size_t i = 0; i < outcomes.size(); ++i) pairs.push_back(unix_half(on));
      half_pair greedy = unix_half(on);
      scope s;
      for (std::size_t i = 0; i < pairs.size(); ++i) s.spawn(leased(pairs[i].ours, outcomes[i]));
      co_await let_others_run();
      std::vector<lease> kept = co_await all_buffers(greedy);
      EXPECT_GT(kept.size(), 4U);
      for (const half_pair& p : pairs) p.theirs.send_all("message");
      for (int i = 0; i < 20; ++i) co_await iolite::sleep(1us);
      kept.clear();
      co_await s.join();
      for (const outcome& o : outcomes) EXPECT_EQ(o.code, std::error_code());
    }
  };
  on().limit_leases(buffer_pool::bytes_min);
  run(body::check(on()));
}

// As much as its peer may send without being received.
std::size_t send_until_full(const raw_socket& to, std::string_view all) {
  std::size_t sent = 0;
  while (sent < all.size()) {
    const auto rest = all.substr(sent);
    const long n =
        system_of_test().send(to.fd(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) break;
    sent += static_cast<std::size_t>(n);
  }
  return sent;
}

TEST_P(engine, a_peer_that_nobody_listens_to_is_made_to_wait) {
  if (!stand_at_once(on())) GTEST_SKIP() << "its receives do not stand";
  struct body {
    static task<> check(half_pair& pair, const std::string& all) {
      pair.theirs.send_all("first");
      EXPECT_EQ((co_await receive(pair.ours)).value_or("?"), "first");
      std::size_t sent = 0;
      for (int silent = 0; silent < 10 && sent < all.size(); ++silent) {
        const std::size_t more = send_until_full(pair.theirs, std::string_view(all).substr(sent));
        if (more > 0) silent = 0;
        sent += more;
        co_await iolite::sleep(1us);
      }
      EXPECT_LT(sent, all.size() / 2);
      std::string got;
      while (got.size() < sent) {
        const auto part = co_await receive(pair.ours, 10'000);
        EXPECT_TRUE(part && !part->empty());
        if (!part || part->empty()) co_return;
        got += *part;
      }
      EXPECT_TRUE(got == std::string_view(all).substr(0, sent));
    }
  };
  half_pair pair = unix_half(on());
  run(body::check(pair, pattern(8'000'000)));
}

TEST_P(engine, what_nobody_asked_for_is_given_back_with_its_stream) {
  if (!stand_at_once(on())) GTEST_SKIP() << "its receives do not stand";
  struct body {
    // More than the pool has, all in all.
    static task<> check(iolite::engine& on) {
      const std::string message = pattern(32 * 1024);
      for (int i = 0; i < 600; ++i) {
        half_pair pair = unix_half(on);
        pair.theirs.send_all("first");
        EXPECT_EQ((co_await receive(pair.ours)).value_or("?"), "first");
        const std::uint64_t before = brought();
        pair.theirs.send_all(message);
        co_await wait_until_brought(before + 1);
      }
    }
  };
  run(body::check(on()));
}

}  // namespace
}  // namespace iolite_test
