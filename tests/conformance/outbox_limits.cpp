// What an outbox holds at most, and what it says when that is reached.
#include "support/engine_test.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

task<> delivering(outbox& mail, stream& to, outcome& out) {
  const auto r = co_await mail.deliver_to(to);
  out.set(r);
}

TEST_P(engine, an_outbox_says_whether_it_is_full_or_closed) {
  outbox mail(1);
  EXPECT_EQ(mail.try_send(message("one")), offered::taken);
  EXPECT_EQ(mail.try_send(message("two")), offered::full);
  mail.close();
  EXPECT_EQ(mail.try_send(message("three")), offered::closed);
}

TEST_P(engine, an_outbox_holds_no_more_bytes_than_it_may) {
  outbox mail(100, 10);
  EXPECT_TRUE(mail.try_send(message("1234567")));
  EXPECT_EQ(mail.bytes(), 7U);
  EXPECT_EQ(mail.try_send(message("1234")), offered::full);
  EXPECT_TRUE(mail.try_send(message("123")));
  EXPECT_TRUE(mail.try_send(message(""))) << "it needs no room";
  EXPECT_EQ(mail.try_send(message("1")), offered::full);
  EXPECT_EQ(mail.size(), 3U);
  half_pair pair = unix_half(on());
  outcome out;
  mail.close();
  run(delivering(mail, pair.ours, out));
  EXPECT_FALSE(out.code) << out.code.message();
  EXPECT_EQ(mail.bytes(), 0U);
  pair.ours.close();
  EXPECT_EQ(pair.theirs.recv_until_end(), "1234567123");
}

TEST_P(engine, a_message_of_more_bytes_than_an_outbox_may_hold_is_sent_alone) {
  outbox mail(100, 10);
  EXPECT_TRUE(mail.try_send(message("longer than ten")));
  EXPECT_EQ(mail.try_send(message("1")), offered::full);
  EXPECT_EQ(mail.try_send(message("")), offered::full);
}

// Senders of all sizes wait for room in bytes; whatever leaves, all get through, and in order each.
TEST_P(engine, senders_that_wait_for_bytes_all_get_through) {
  struct body {
    static task<> send(outbox& mail, char name, std::size_t size) {
      for (int i = 0; i < 40; ++i) {
        const auto sent = co_await mail.send(message(std::string(size, name)));
        EXPECT_TRUE(sent);
        EXPECT_LE(mail.bytes(), 100U);
      }
    }
    static task<> all(stream& to, outcome& out) {
      outbox mail(50, 100);
      scope delivery;
      delivery.spawn(delivering(mail, to, out));
      scope senders;
      for (const std::size_t size : {1U, 10U, 60U, 100U}) {
        senders.spawn(send(mail, static_cast<char>('a' + size % 26), size));
      }
      co_await senders.join();
      mail.close();
      co_await delivery.join();
    }
  };
  half_pair pair = unix_half(on());
  std::string received;
  other_thread reader([&] { received = pair.theirs.recv_until_end(); });
  outcome out;
  run(body::all(pair.ours, out));
  pair.ours.close();
  reader.join();
  EXPECT_FALSE(out.code) << out.code.message();
  for (const std::size_t size : {1U, 10U, 60U, 100U}) {
    const char name = static_cast<char>('a' + size % 26);
    EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(received, name)), 40 * size);
  }
}

}  // namespace
}  // namespace iolite_test
