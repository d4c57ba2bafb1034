// What is written against byte_stream: the same over a socket and over a script, with any split and
// any error.
#include "support/engine_test.hpp"
#include "support/scripted_stream.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string framed_text(std::string_view text) {
  std::vector<std::byte> out;
  EXPECT_TRUE(append_frame(out, std::as_bytes(std::span(text))));
  return text_of(out);
}

// A protocol that uses all of a byte stream: it gives back the first five bytes, then what a
// receive and a lease bring, turned into pieces, and ends politely.
template <byte_stream S>
task<std::error_code> talk(S& peer) {
  peer.set_idle_timeout(5s);
  std::array<std::byte, 5> head;
  const auto begun = co_await peer.recv_all(head);
  if (!begun) co_return begun.error();
  std::array<std::byte, 3> some;
  const auto n = co_await peer.recv(some);
  if (!n) co_return n.error();
  const auto rest = co_await peer.recv_lease();
  if (!rest) co_return rest.error();
  const piece both[] = {std::span(some).first(*n), rest->bytes()};
  const auto first = co_await peer.send_all(std::span<const std::byte>(head));
  if (!first) co_return first.error();
  const auto second = co_await peer.send_all(std::span<const piece>(both));
  if (!second) co_return second.error();
  co_await peer.finish(1s);
  co_return std::error_code();
}

TEST_P(engine, a_protocol_runs_on_a_socket_and_on_a_script) {
  half_pair pair = unix_half(on());
  std::string answer;
  other_thread peer([&] {
    EXPECT_TRUE(pair.theirs.send_all("hello, world"));
    answer = pair.theirs.recv_until_end();
    pair.theirs.close();
  });
  EXPECT_FALSE(run(talk(pair.ours)));
  EXPECT_FALSE(pair.ours.is_open());
  peer.join();
  EXPECT_EQ(answer, "hello, world");

  scripted_stream script;
  script.receives("hel").receives("lo").receives(", ").receives("world").receives("dropped");
  EXPECT_FALSE(run(talk(script)));
  EXPECT_EQ(script.sent(), "hello, world");
  EXPECT_EQ(script.idle_timeout(), 5s);
  EXPECT_TRUE(script.is_shut());
  EXPECT_FALSE(script.is_open());
}

TEST_P(engine, a_protocol_on_a_script_meets_every_error_of_it) {
  const auto reset = std::make_error_code(std::errc::connection_reset);
  const std::string bytes = "hello, world";
  for (const std::size_t received : {0U, 3U, 5U, 6U}) {
    scripted_stream script;
    script.receives_in_pieces(bytes.substr(0, received), 2).then_fails(reset).pauses();
    EXPECT_EQ(run(talk(script)), reset) << received;
    EXPECT_EQ(script.sends(), 0);
  }
  for (std::size_t taken = 0; taken < bytes.size(); ++taken) {
    scripted_stream script;
    script.receives("hello").receives(",").receives(" world").takes(taken, reset);
    EXPECT_EQ(run(talk(script)), reset) << taken;
    EXPECT_EQ(script.sent(), bytes.substr(0, taken));
  }
  scripted_stream cut;
  EXPECT_EQ(run(talk(cut.receives("hell"))), errc::end_of_stream);
}

TEST_P(engine, a_silent_script_ends_by_its_idle_timeout_by_a_cancel_and_when_it_is_closed) {
  struct body {
    static task<> receive(scripted_stream& from, outcome& out) {
      std::array<std::byte, 8> into;
      const auto r = co_await from.recv(into);
      out.set(r);
    }
    static task<> check() {
      scripted_stream idle;
      idle.then_is_silent().set_idle_timeout(2ms);
      outcome timed_out;
      co_await receive(idle, timed_out);
      EXPECT_EQ(timed_out.code, std::errc::timed_out);

      scripted_stream silent;
      silent.then_is_silent();
      outcome cancelled;
      scope first;
      first.spawn(receive(silent, cancelled));
      first.cancel();
      co_await first.join();
      EXPECT_EQ(cancelled.code, std::errc::operation_canceled);

      outcome closed;
      scope second;
      second.spawn(receive(silent, closed));
      co_await let_others_run();
      silent.close();
      co_await second.join();
      EXPECT_EQ(closed.code, std::errc::operation_canceled);
    }
  };
  run(body::check());
}

TEST_P(engine, messages_over_a_script_are_whole_however_it_is_cut) {
  struct body {
    static task<> check(scripted_stream& from) {
      basic_frames in(from);
      for (const std::string_view expected : {"one", "", "three and more"}) {
        const auto m = co_await in.receive();
        EXPECT_TRUE(m && text_of(*m) == expected);
      }
      const auto end = co_await in.receive();
      EXPECT_EQ(end ? std::error_code() : end.error(), errc::end_of_stream);
    }
  };
  const std::string all = framed_text("one") + framed_text("") + framed_text("three and more");
  for (std::size_t size = 1; size <= all.size(); ++size) {
    scripted_stream script;
    script.receives_in_pieces(all, size);
    if (size % 2 == 0) script.pauses();
    run(body::check(script));
  }
  for (std::size_t cut = 1; cut < all.size(); ++cut) {
    scripted_stream script;
    run(body::check(script.receives(all.substr(0, cut)).receives(all.substr(cut))));
  }
}

TEST_P(engine, messages_over_a_script_that_fails_tell_why) {
  struct body {
    static task<std::error_code> receive(scripted_stream& from) {
      basic_frames in(from);
      const auto m = co_await in.receive();
      co_return m ? std::error_code() : m.error();
    }
    static task<std::error_code> send(scripted_stream& to) {
      basic_frames out(to);
      const auto r = co_await out.send(std::string("a message"));
      co_return r ? std::error_code() : r.error();
    }
  };
  const auto reset = std::make_error_code(std::errc::connection_reset);
  const std::string all = framed_text("a message");
  for (std::size_t cut = 0; cut < all.size(); ++cut) {
    scripted_stream ends;
    const auto end = cut == 0 ? errc::end_of_stream : errc::truncated;
    EXPECT_EQ(run(body::receive(ends.receives(all.substr(0, cut)))), end) << cut;
    scripted_stream fails;
    EXPECT_EQ(run(body::receive(fails.receives(all.substr(0, cut)).then_fails(reset))), reset);
    scripted_stream full;
    EXPECT_EQ(run(body::send(full.takes(cut, reset))), reset) << cut;
    EXPECT_EQ(full.sent(), all.substr(0, cut));
  }
  scripted_stream takes_all;
  EXPECT_FALSE(run(body::send(takes_all)));
  EXPECT_EQ(takes_all.sent(), all);
  EXPECT_EQ(takes_all.sends(), 1) << "length and text in one piece";
}

}  // namespace
}  // namespace iolite_test
