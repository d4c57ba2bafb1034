// Messages over a stream, however the stream is cut.
#include "support/engine_test.hpp"

#include <cstring>

namespace iolite_test {
namespace {

using namespace iolite;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

task<result<std::string>> next_message(frames& from) {
  const auto m = co_await from.receive();
  if (!m) co_return std::unexpected(m.error());
  co_return text_of(*m);
}

std::string framed(const std::string& text) {
  std::vector<std::byte> out;
  EXPECT_TRUE(append_frame(out, std::as_bytes(std::span(text))));
  return text_of(out);
}

TEST_P(engine, messages_arrive_whole_and_in_order) {
  struct body {
    static task<> send(stream to, const std::vector<std::string>& all) {
      frames out(to);
      for (const std::string& m : all) EXPECT_TRUE(co_await out.send(m));
    }
    static task<> check(stream_pair p, const std::vector<std::string>& all) {
      scope sender;
      sender.spawn(send(std::move(p.b), all));
      frames in(p.a);
      for (const std::string& m : all) {
        const auto got = co_await next_message(in);
        EXPECT_TRUE(got && *got == m);
      }
      const auto end = co_await next_message(in);
      EXPECT_EQ(end ? std::error_code() : end.error(), errc::end_of_stream);
      co_await sender.join();
    }
  };
  std::vector<std::string> all;
  for (const std::size_t n : {0U, 1U, 3U, 4095U, 4096U, 70'000U, 1U << 20, 0U, 5U})
    all.push_back(pattern(n));
  run(body::check(tcp_streams(on()), all));
}

TEST_P(engine, messages_that_come_byte_by_byte_are_put_together) {
  struct body {
    static task<> dribble(stream to, std::string bytes) {
      for (const char c : bytes) {
        EXPECT_TRUE(co_await send_text(to, std::string_view(&c, 1)));
        co_await let_others_run();
      }
    }
    static task<> check(stream_pair p) {
      scope sender;
      sender.spawn(dribble(std::move(p.b), framed("one") + framed("") + framed("three")));
      frames in(p.a);
      EXPECT_EQ((co_await next_message(in)).value_or("?"), "one");
      EXPECT_EQ((co_await next_message(in)).value_or("?"), "");
      EXPECT_EQ((co_await next_message(in)).value_or("?"), "three");
      co_await sender.join();
    }
  };
  run(body::check(unix_streams(on())));
}

TEST_P(engine, messages_that_come_glued_are_taken_apart) {
  struct body {
    static task<> check(half_pair p) {
      std::string glued;
      for (int i = 0; i < 1000; ++i) glued += framed(std::to_string(i));
      EXPECT_TRUE(p.theirs.send_all(glued));
      frames in(p.ours);
      for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ((co_await next_message(in)).value_or("?"), std::to_string(i));
      }
    }
  };
  run(body::check(unix_half(on())));
}

TEST_P(engine, a_message_cut_by_the_end_of_the_stream_is_told_from_the_end) {
  struct body {
    static task<> check(half_pair p, std::string bytes) {
      EXPECT_TRUE(p.theirs.send_all(bytes));
      p.theirs.close();
      frames in(p.ours);
      const auto got = co_await next_message(in);
      EXPECT_EQ(got ? std::error_code() : got.error(), errc::truncated);
    }
  };
  run(body::check(unix_half(on()), framed("whole").substr(0, 2)));
  run(body::check(unix_half(on()), framed("whole").substr(0, 8)));
}

TEST_P(engine, a_message_that_is_too_long_is_refused_at_once) {
  struct body {
    static task<> check(half_pair p) {
      frames both(p.ours, {.length_bytes = 4, .max = 10});
      EXPECT_TRUE(co_await both.send("0123456789"));
      const auto sent = co_await both.send("0123456789a");
      EXPECT_EQ(sent ? std::error_code() : sent.error(), std::errc::message_size);
      EXPECT_EQ(p.theirs.recv_some(), framed("0123456789")) << "nothing of the other one";
      EXPECT_TRUE(p.theirs.send_all(framed("0123456789a").substr(0, 4)));  // its length only
      const auto got = co_await next_message(both);
      EXPECT_EQ(got ? std::error_code() : got.error(), std::errc::message_size);
    }
  };
  run(body::check(unix_half(on())));
}

}  // namespace
}  // namespace iolite_test
