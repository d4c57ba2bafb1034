// Messages: made once, shared, freed by the last; and as frames.
#include "iolite/iolite.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>
#include <thread>

namespace {

using iolite::message;

TEST(messages, copies_share_their_bytes) {
  message a("hello");
  EXPECT_EQ(a.owners(), 1U);
  const message b = a;
  EXPECT_EQ(a.owners(), 2U);
  EXPECT_EQ(a.bytes().data(), b.bytes().data());
  message c = std::move(a);
  EXPECT_EQ(c.owners(), 2U);
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): what is left is what is asked
  c = message();
  EXPECT_EQ(b.owners(), 1U);
  EXPECT_EQ(b.text(), "hello");
}

TEST(messages, an_empty_one_has_no_owners) {
  const message none;
  const message nothing("");
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(nothing.empty());
  EXPECT_EQ(nothing.owners(), 0U);
  EXPECT_EQ(nothing.size(), 0U);
  EXPECT_TRUE(nothing.bytes().empty());
}

TEST(messages, assigned_to_itself_it_stays) {
  message a("text");
  const message& same = a;
  a = same;
  EXPECT_EQ(a.owners(), 1U);
  EXPECT_EQ(a.text(), "text");
}

TEST(messages, more_bytes_than_there_can_be_are_refused) {
  for (const std::size_t bytes : {SIZE_MAX, SIZE_MAX - 8, SIZE_MAX - 15, SIZE_MAX / 2 + 1}) {
    bool filled = false;
    EXPECT_THROW(message(bytes, [&](std::span<std::byte>) { filled = true; }), std::bad_alloc);
    EXPECT_FALSE(filled);
  }
}

TEST(messages, are_filled_in_place) {
  const message m(100'000, [](std::span<std::byte> to) { std::memset(to.data(), 'x', to.size()); });
  EXPECT_EQ(m.size(), 100'000U);
  EXPECT_EQ(m.text(), std::string(100'000, 'x'));
}

TEST(messages, what_filling_throws_comes_out) {
  const auto fill = [](std::span<std::byte>) { throw std::runtime_error("cannot"); };
  EXPECT_THROW(message(10, fill), std::runtime_error);
}

TEST(messages, copies_of_many_threads_are_counted) {
  const message m("shared");
  const auto copy = [&m] {
    for (int i = 0; i < 10'000; ++i) {
      const message mine = m;
      EXPECT_EQ(mine.text(), "shared");
    }
  };
  std::thread one(copy), other(copy);
  one.join();
  other.join();
  EXPECT_EQ(m.owners(), 1U);
}

TEST(messages, the_last_may_go_on_another_thread) {
  message m("last");
  std::thread other([mine = std::move(m)] { EXPECT_EQ(mine.owners(), 1U); });
  other.join();
}

TEST(messages, framed_is_what_frames_send) {
  const auto m = iolite::framed("abc", {.length_bytes = 2});
  ASSERT_TRUE(m);
  EXPECT_EQ(m->text(), std::string_view("\0\3abc", 5));
  std::vector<std::byte> same;
  ASSERT_TRUE(iolite::append_frame(same, std::as_bytes(std::span("abc", 3)), {.length_bytes = 2}));
  EXPECT_TRUE(std::ranges::equal(m->bytes(), same));
  EXPECT_EQ(iolite::framed("abcd", {.max = 3}).error(), std::errc::message_size);
}

TEST(messages, an_outbox_without_a_delivery_holds_what_it_has_room_for) {
  const message m("kept");
  {
    iolite::outbox mail(2);
    EXPECT_TRUE(mail.try_send(m));
    EXPECT_TRUE(mail.try_send(m));
    EXPECT_FALSE(mail.try_send(m));
    EXPECT_EQ(mail.size(), 2U);
    EXPECT_EQ(m.owners(), 3U);
    mail.close();
    EXPECT_TRUE(mail.closed());
    EXPECT_FALSE(mail.try_send(m));
  }
  EXPECT_EQ(m.owners(), 1U);
}

}  // namespace
