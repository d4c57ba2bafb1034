// Text line by line, over a socket and over a script with any split and any error.
#include "support/engine_test.hpp"
#include "support/scripted_stream.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

// All lines up to the end, and what the end was.
struct text_seen {
  std::vector<std::string> lines;
  std::error_code end;
  std::string rest;
};
template <byte_stream S>
task<text_seen> read_all(S& from, line_format format) {
  basic_lines in(from, format);
  text_seen out;
  for (;;) {
    const auto line = co_await in.receive();
    if (!line) {
      out.end = line.error();
      out.rest = in.rest();
      co_return out;
    }
    out.lines.emplace_back(*line);
  }
}

TEST_P(engine, lines_go_both_ways_between_sockets) {
  struct body {
    static task<> answer(stream peer) {
      lines talk(peer, {.sent = line_format::ending::crlf});
      for (;;) {
        const auto line = co_await talk.receive();
        if (!line) co_return;
        const auto sent = co_await talk.send("you said: " + std::string(*line));
        EXPECT_TRUE(sent);
      }
    }
    static task<> ask(stream peer) {
      lines talk(peer);
      for (const std::string& text : {std::string("hello"), std::string(), pattern(50'000, 3)}) {
        std::string question = text;
        std::erase(question, '\n');
        const auto sent = co_await talk.send(question);
        EXPECT_TRUE(sent);
        const auto line = co_await talk.receive();
        EXPECT_TRUE(line && *line == "you said: " + question);
      }
    }
    static task<> both(stream_pair p) {
      scope server;
      server.spawn(answer(std::move(p.a)));
      co_await ask(std::move(p.b));
      co_await server.join();
    }
  };
  run(body::both(tcp_streams(on())));
  run(body::both(unix_streams(on())));
}

TEST_P(engine, lines_are_whole_however_they_are_cut) {
  const std::string all = "one\r\ntwo\n\n\r\nlone \r inside\nlast\n";
  const std::vector<std::string> expected = {"one", "two", "", "", "lone \r inside", "last"};
  for (std::size_t size = 1; size <= all.size(); ++size) {
    scripted_stream script;
    script.receives_in_pieces(all, size);
    if (size % 3 == 0) script.pauses();
    const text_seen seen = run(read_all(script, {}));
    EXPECT_EQ(seen.lines, expected) << size;
    EXPECT_EQ(seen.end, errc::end_of_stream);
  }
  for (std::size_t cut = 1; cut < all.size(); ++cut) {
    scripted_stream script;
    script.receives(all.substr(0, cut)).receives(all.substr(cut));
    EXPECT_EQ(run(read_all(script, {})).lines, expected) << cut;
  }
}

TEST_P(engine, a_line_cut_by_the_end_of_the_stream_is_told_and_can_be_read) {
  scripted_stream script;
  script.receives("whole\npar").receives("t");
  const text_seen seen = run(read_all(script, {}));
  EXPECT_EQ(seen.lines, std::vector<std::string>{"whole"});
  EXPECT_EQ(seen.end, errc::truncated);
  EXPECT_EQ(seen.rest, "part");
  scripted_stream fails;
  const auto reset = std::make_error_code(std::errc::connection_reset);
  EXPECT_EQ(run(read_all(fails.receives("whole\npart").then_fails(reset), {})).end, reset);
}

TEST_P(engine, a_line_that_is_too_long_is_refused_before_it_ends) {
  const std::string fits(100, 'x');
  for (const std::size_t size : {1U, 7U, 1000U}) {
    for (const char* const end : {"\n", "\r\n"}) {
      scripted_stream script;
      script.receives_in_pieces(fits + end + fits + "x", size).then_is_silent();
      const text_seen seen = run(read_all(script, {.max = 100}));
      EXPECT_EQ(seen.lines, std::vector<std::string>{fits});
      EXPECT_EQ(seen.end, std::errc::message_size);
    }
  }
}

TEST_P(engine, what_would_arrive_as_other_lines_is_not_sent) {
  struct body {
    static task<> check() {
      scripted_stream script;
      basic_lines out(script, {.max = 10});
      for (const char* const bad : {"two\nlines", "at end\r", "\n", "\r"}) {
        const auto sent = co_await out.send(bad);
        EXPECT_EQ(sent ? std::error_code() : sent.error(), std::errc::invalid_argument) << bad;
      }
      const auto sent = co_await out.send("more than 10");
      EXPECT_EQ(sent ? std::error_code() : sent.error(), std::errc::message_size);
      EXPECT_EQ(script.sends(), 0);
      const auto good = co_await out.send(std::string("exactly 10"));
      EXPECT_TRUE(good);
      EXPECT_EQ(script.sent(), "exactly 10\n");
      EXPECT_EQ(script.sends(), 1) << "the line and its end together";
    }
  };
  run(body::check());
}

TEST_P(engine, text_is_received_into_strings_and_arrays) {
  struct body {
    static task<> check(half_pair p) {
      EXPECT_TRUE(p.theirs.send_all("hello, world"));
      std::string head(5, '\0');
      EXPECT_TRUE(co_await p.ours.recv_all(head));
      EXPECT_EQ(head, "hello");
      std::array<char, 2> some;
      const auto n = co_await p.ours.recv(some);
      EXPECT_EQ(n.value_or(0), 2U);
      EXPECT_EQ(std::string_view(some.data(), some.size()), ", ");
      {
        const auto lent = co_await p.ours.recv_lease();
        EXPECT_TRUE(lent && lent->text() == "world");
      }
      const auto sent = co_await p.ours.send_some("text");
      EXPECT_EQ(sent.value_or(0), 4U);
      EXPECT_EQ(p.theirs.recv_exactly(4), "text");
    }
  };
  run(body::check(unix_half(on())));
}

}  // namespace
}  // namespace iolite_test
