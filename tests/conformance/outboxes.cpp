// Outboxes: order, bounds, slow peers and ends, from one thread and from many.
#include "support/engine_test.hpp"

#include "kernel/faulty.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

task<> delivering(outbox& mail, stream& to, outcome& out,
                  iolite::clock::duration limit = iolite::clock::duration::zero()) {
  const auto r = co_await mail.deliver_to(to, limit);
  out.set(r);
}

// `body` runs beside the delivery, which is then closed.
template <class Body>
task<> while_delivering(outbox& mail, stream& to, outcome& out, Body body) {
  scope children;
  children.spawn(delivering(mail, to, out));
  co_await body(mail);
  mail.close();
  co_await children.join();
}

std::string numbers(int from, int to) {
  std::string out;
  for (int i = from; i < to; ++i) out += std::to_string(i) + " ";
  return out;
}

struct bodies {
  static task<> one(outbox& mail) {
    EXPECT_TRUE(mail.try_send(message("hello ")));
    EXPECT_TRUE(mail.try_send(message("all")));
    co_return;
  }
  static task<> thousand(outbox& mail) {
    for (int i = 0; i < 1000; ++i) {
      const auto sent = co_await mail.send(message(std::to_string(i) + " "));
      EXPECT_TRUE(sent);
      if (i % 100 == 0) co_await let_others_run();
    }
  }
};

TEST_P(engine, an_outbox_sends_what_it_is_given) {
  half_pair pair = tcp_half(on());
  outbox mail(4);
  outcome out;
  run(while_delivering(mail, pair.ours, out, bodies::one));
  EXPECT_FALSE(out.code) << out.code.message();
  EXPECT_EQ(mail.size(), 0U);
  pair.ours.close();
  EXPECT_EQ(pair.theirs.recv_until_end(), "hello all");
}

TEST_P(engine, what_was_sent_before_the_delivery_began_goes_first) {
  half_pair pair = unix_half(on());
  outbox mail(8);
  EXPECT_TRUE(mail.try_send(message("history, ")));
  EXPECT_TRUE(mail.try_send(message("")));
  EXPECT_TRUE(mail.try_send(message("more, ")));
  outcome out;
  run(while_delivering(mail, pair.ours, out, bodies::one));
  pair.ours.close();
  EXPECT_EQ(pair.theirs.recv_until_end(), "history, more, hello all");
}

TEST_P(engine, an_outbox_keeps_the_order_at_any_capacity) {
  for (const std::uint32_t capacity : {1U, 2U, 7U, 100U, 2000U}) {
    half_pair pair = unix_half(on());
    std::string received;
    other_thread reader([&] { received = pair.theirs.recv_until_end(); });
    outbox mail(capacity);
    outcome out;
    run(while_delivering(mail, pair.ours, out, bodies::thousand));
    EXPECT_FALSE(out.code);
    pair.ours.close();
    reader.join();
    EXPECT_EQ(received, numbers(0, 1000));
  }
}

TEST_P(engine, an_outbox_survives_short_sends) {
  const fault one_byte{.what = call::sendmsg, .times = fault::for_ever, .shorten_to = 1};
  const fault rest{.what = call::send, .times = fault::for_ever, .shorten_to = 1};
  on_faulty({one_byte, rest});
  half_pair pair = unix_half(on());
  std::string received;
  other_thread reader([&] { received = pair.theirs.recv_until_end(); });
  outbox mail(50);
  outcome out;
  run(while_delivering(mail, pair.ours, out, bodies::thousand));
  pair.ours.close();
  reader.join();
  EXPECT_EQ(received, numbers(0, 1000));
}

TEST_P(engine, a_peer_that_does_not_read_fills_its_outbox_and_no_more) {
  struct body {
    static task<> all(stream& to, outcome& out) {
      outbox mail(3);
      const message big(pattern(1 << 20));
      scope children;
      children.spawn(delivering(mail, to, out));
      int sent = 0;
      while (mail.try_send(big)) {
        if (++sent > 100) break;
        co_await let_others_run();
      }
      EXPECT_LE(sent, 100) << "it is never full";
      EXPECT_EQ(mail.size(), 3U);
      EXPECT_FALSE(mail.closed());
      EXPECT_LE(big.owners(), 4U);
      children.cancel();
      co_await children.join();
      EXPECT_TRUE(mail.closed());
      EXPECT_FALSE(mail.try_send(big));
      EXPECT_EQ(mail.size(), 0U);
      EXPECT_EQ(big.owners(), 1U);
    }
  };
  half_pair pair = unix_half(on());
  outcome out;
  run(body::all(pair.ours, out));
  EXPECT_EQ(out.code, std::errc::operation_canceled);
}

TEST_P(engine, a_peer_that_does_not_read_is_given_up_at_the_limit) {
  struct body {
    static task<> all(stream& to, outcome& out) {
      outbox mail(3);
      const message big(pattern(8 << 20));
      EXPECT_TRUE(mail.try_send(big));
      scope children;
      children.spawn(delivering(mail, to, out, 20ms));
      co_await children.join();
      const auto late = co_await mail.send(big);
      EXPECT_TRUE(!late && late.error() == make_error_code(errc::closed));
    }
  };
  half_pair pair = unix_half(on());
  outcome out;
  run(body::all(pair.ours, out));
  EXPECT_EQ(out.code, std::errc::timed_out);
}

TEST_P(engine, an_idle_delivery_has_no_time_limit) {
  struct body {
    static task<> wait(outbox& mail) {
      auto pause = sleep(30ms);
      EXPECT_TRUE(co_await pause);
      EXPECT_TRUE(mail.try_send(message("still there")));
    }
    static task<> all(stream& to, outcome& out) {
      outbox mail(3);
      scope children;
      children.spawn(delivering(mail, to, out, 10ms));
      co_await wait(mail);
      mail.close();
      co_await children.join();
    }
  };
  half_pair pair = unix_half(on());
  outcome out;
  run(body::all(pair.ours, out));
  EXPECT_FALSE(out.code) << out.code.message();
  pair.ours.close();
  EXPECT_EQ(pair.theirs.recv_until_end(), "still there");
}

TEST_P(engine, a_peer_that_is_gone_ends_the_delivery) {
  struct body {
    static task<> all(stream& to, outcome& out) {
      outbox mail(3);
      scope children;
      children.spawn(delivering(mail, to, out));
      for (int i = 0; i < 1000 && !mail.closed(); ++i) {
        mail.try_send(message("anybody?"));
        co_await let_others_run();
      }
      EXPECT_TRUE(mail.closed());
      co_await children.join();
    }
  };
  half_pair pair = unix_half(on());
  pair.theirs.close();
  outcome out;
  run(body::all(pair.ours, out));
  EXPECT_TRUE(is_gone(out.code)) << out.code.message();
}

TEST_P(engine, a_sender_that_waits_for_room_learns_that_the_outbox_is_closed) {
  struct body {
    static task<> send(outbox& mail, outcome& out) {
      const auto r = co_await mail.send(message("no room"));
      out.set(r);
    }
    static task<> all(outcome& out) {
      outbox mail(1);
      EXPECT_TRUE(mail.try_send(message("full")));
      scope children;
      children.spawn(send(mail, out));
      co_await let_others_run();
      mail.close();
      co_await children.join();
    }
  };
  outcome out;
  run(body::all(out));
  EXPECT_EQ(out.code, make_error_code(errc::closed));
}

TEST_P(engine, closing_the_stream_ends_its_delivery) {
  if (traits().blocking) GTEST_SKIP() << "a stream is closed only by the task that uses it";
  struct body {
    static task<> all(stream& to, outcome& out) {
      outbox mail(3);
      scope children;
      children.spawn(delivering(mail, to, out));
      co_await let_others_run();
      to.close();
      co_await children.join();
    }
  };
  half_pair pair = unix_half(on());
  outcome out;
  run(body::all(pair.ours, out));
  EXPECT_EQ(out.times, 1);
  EXPECT_EQ(out.code, std::errc::operation_canceled);
}

TEST_P(engine, destroying_the_stream_ends_its_delivery) {
  if (traits().blocking) GTEST_SKIP() << "a stream is closed only by the task that uses it";
  struct body {
    static task<> all(std::optional<stream>& to, bool busy, outcome& out) {
      outbox mail(3);
      scope children;
      children.spawn(delivering(mail, *to, out));
      co_await let_others_run();
      EXPECT_TRUE(!busy || mail.try_send(message(pattern(8 << 20))));
      co_await let_others_run();
      to.reset();
      co_await children.join();
      EXPECT_TRUE(mail.closed());
    }
  };
  for (const bool busy : {false, true}) {
    half_pair pair = unix_half(on());
    std::optional<stream> to(std::move(pair.ours));
    outcome out;
    run(body::all(to, busy, out));
    EXPECT_EQ(out.times, 1);
    EXPECT_EQ(out.code, std::errc::operation_canceled);
  }
}

// Who reads has room for all of it, so none of it has to wait in the outbox.
TEST_P(engine, bursts_for_a_reader_who_keeps_up_are_taken_whole) {
  if (traits().files) GTEST_SKIP() << "the facility sends in the next turn of the loop";
  struct body {
    static task<> all(half_pair& p, outcome& out) {
      outbox mail(4);
      scope children;
      children.spawn(delivering(mail, p.ours, out));
      EXPECT_TRUE(mail.try_send(message("+")));
      EXPECT_EQ(p.theirs.recv_exactly(1), "+");
      while (mail.size() > 0) co_await let_others_run();
      for (int i = 0; i < 1000; ++i) EXPECT_TRUE(mail.try_send(message("x"))) << i;
      EXPECT_EQ(mail.size(), 0U);
      EXPECT_EQ(p.theirs.recv_exactly(1000), std::string(1000, 'x'));
      mail.close();
      co_await children.join();
    }
  };
  half_pair pair = tcp_half(on());
  outcome out;
  run(body::all(pair, out));
  EXPECT_FALSE(out.code);
}

TEST_P(engine, a_delivery_to_a_closed_stream_fails) {
  half_pair pair = unix_half(on());
  pair.ours.close();
  outbox mail(3);
  outcome out;
  run(delivering(mail, pair.ours, out));
  EXPECT_EQ(out.code, std::errc::bad_file_descriptor);
}

TEST_P(engine, other_threads_send_through_an_outbox_too) {
  constexpr int senders = 3, each = 200;
  half_pair pair = unix_half(on());
  std::string received;
  other_thread reader([&] { received = pair.theirs.recv_until_end(); });
  outbox mail(16);
  struct body {
    static task<> send(outbox& to, char name) {
      for (int i = 0; i < each; ++i) {
        const auto sent = co_await to.send(message(std::string(1, name) + std::to_string(i) + " "));
        EXPECT_TRUE(sent);
      }
    }
  };
  outcome out;
  std::vector<std::unique_ptr<other_thread>> threads;
  for (char name = 'a'; name < 'a' + senders; ++name) {
    threads.push_back(std::make_unique<other_thread>([&, name] {
      const auto own = another();
      own->run(body::send(mail, name));
    }));
  }
  struct waiting_for_all {
    static task<> all(outbox& m, stream& to, outcome& o, event& sent) {
      scope children;
      children.spawn(delivering(m, to, o));
      auto done = sent.wait();
      static_cast<void>(co_await done);
      m.close();
      co_await children.join();
    }
  };
  event sent;
  other_thread closer([&] {
    for (const auto& t : threads) t->join();
    sent.set();
  });
  run(waiting_for_all::all(mail, pair.ours, out, sent));
  closer.join();
  pair.ours.close();
  reader.join();
  EXPECT_FALSE(out.code);
  for (char name = 'a'; name < 'a' + senders; ++name) {
    std::size_t at = 0;
    for (int i = 0; i < each; ++i) {
      const auto text = std::string(1, name) + std::to_string(i) + " ";
      at = received.find(text, at);
      ASSERT_NE(at, std::string::npos) << text;
    }
  }
}

TEST_P(engine, one_message_goes_to_all_but_its_sender) {
  constexpr std::size_t members = 40;
  struct body {
    static task<> all(std::vector<half_pair>& pairs) {
      std::vector<std::unique_ptr<outbox>> boxes;
      std::vector<outbox*> to;
      std::vector<outcome> out(pairs.size());
      scope children;
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        boxes.push_back(std::make_unique<outbox>(i == 5 ? 1 : 2));
        to.push_back(boxes.back().get());
      }
      const message first("first "), second("second");
      std::vector<const outbox*> full;
      const auto note = [&](outbox& slow) { full.push_back(&slow); };
      outbox::send_to_all(to, first, note, to[3]);
      outbox::send_to_all(to, second, note);
      EXPECT_EQ(full, std::vector<const outbox*>{to[5]});
      EXPECT_EQ(first.owners(), pairs.size());
      for (std::size_t i = 0; i < pairs.size(); ++i)
        children.spawn(delivering(*boxes[i], pairs[i].ours, out[i]));
      for (outbox* const each : to) each->close();
      co_await children.join();
      EXPECT_EQ(first.owners(), 1U);
    }
  };
  std::vector<half_pair> pairs;
  for (std::size_t i = 0; i < members; ++i) pairs.push_back(unix_half(on()));
  run(body::all(pairs));
  for (std::size_t i = 0; i < members; ++i) {
    pairs[i].ours.close();
    EXPECT_EQ(pairs[i].theirs.recv_until_end(), i == 3   ? "second"
                                                : i == 5 ? "first "
                                                         : "first second");
  }
}

}  // namespace
}  // namespace iolite_test
