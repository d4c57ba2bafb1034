// Sends of many pieces: as if they were one.
#include "support/engine_test.hpp"

#include "kernel/faulty.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

piece piece_of(std::string_view text) { return std::as_bytes(std::span(text)); }

// Cuts `whole` into pieces whose sizes come round: some of them are empty.
std::vector<piece> cut(std::string_view whole, const std::vector<std::size_t>& sizes) {
  std::vector<piece> out;
  for (std::size_t at = 0, i = 0; at < whole.size(); ++i) {
    const std::size_t n = std::min(sizes[i % sizes.size()], whole.size() - at);
    out.push_back(piece_of(whole.substr(at, n)));
    at += n;
  }
  return out;
}

task<result<std::size_t>> send_pieces(stream& to, std::vector<piece> pieces) {
  const auto n = co_await to.send_all(pieces);
  co_return n;
}

TEST_P(engine, pieces_arrive_in_order_as_one) {
  half_pair pair = tcp_half(on());
  EXPECT_EQ(run(send_pieces(pair.ours,
                            {piece_of("one "), piece_of(""), piece_of("two "), piece_of("three")}))
                .value_or(0),
            13U);
  pair.ours.close();
  EXPECT_EQ(pair.theirs.recv_until_end(), "one two three");
}

TEST_P(engine, no_pieces_and_empty_pieces_end_at_once) {
  half_pair pair = unix_half(on());
  EXPECT_EQ(run(send_pieces(pair.ours, {})).value_or(99), 0U);
  EXPECT_EQ(run(send_pieces(pair.ours, {piece_of(""), piece_of("")})).value_or(99), 0U);
  pair.ours.close();
  EXPECT_EQ(pair.theirs.recv_until_end(), "");
}

TEST_P(engine, more_pieces_than_a_call_takes_are_sent) {
  half_pair pair = unix_half(on());
  const std::string whole = pattern(9000);
  std::string received;
  other_thread reader([&] { received = pair.theirs.recv_until_end(); });
  EXPECT_EQ(run(send_pieces(pair.ours, cut(whole, {3, 0, 1, 7}))).value_or(0), whole.size());
  pair.ours.close();
  reader.join();
  EXPECT_TRUE(received == whole);
}

TEST_P(engine, pieces_are_carried_on_through_full_buffers) {
  half_pair pair = unix_half(on());
  const std::string whole = pattern(6 << 20);
  std::string received;
  other_thread reader([&] { received = pair.theirs.recv_until_end(); });
  EXPECT_EQ(run(send_pieces(pair.ours, cut(whole, {1, 100'000, 17, 300'001}))).value_or(0),
            whole.size());
  pair.ours.close();
  reader.join();
  EXPECT_TRUE(received == whole);
}

TEST_P(engine, pieces_that_go_out_byte_by_byte_stay_in_order) {
  const fault one_byte{.what = call::sendmsg, .times = fault::for_ever, .shorten_to = 1};
  const fault rest{.what = call::send, .times = fault::for_ever, .shorten_to = 1};
  on_faulty({one_byte, rest});
  half_pair pair = unix_half(on());
  const std::string whole = pattern(300);
  std::string received;
  other_thread reader([&] { received = pair.theirs.recv_until_end(); });
  EXPECT_EQ(run(send_pieces(pair.ours, cut(whole, {5, 0, 2}))).value_or(0), whole.size());
  pair.ours.close();
  reader.join();
  EXPECT_EQ(received, whole);
}

TEST_P(engine, pieces_to_a_peer_that_does_not_read_meet_their_deadline) {
  half_pair pair = unix_half(on());
  const std::string whole = pattern(8 << 20);
  struct body {
    static task<std::error_code> send(stream& to, const std::vector<piece>& pieces,
                                      std::size_t& moved) {
      auto all = to.send_all(std::span(pieces));
      const auto r = co_await (all | within{20ms});
      moved = all.moved;
      co_return r ? std::error_code() : r.error();
    }
  };
  const auto pieces = cut(whole, {100'000});
  std::size_t moved = 0;
  EXPECT_EQ(run(body::send(pair.ours, pieces, moved)), std::errc::timed_out);
  EXPECT_LT(moved, whole.size());
  std::string received;
  other_thread reader([&] { received = pair.theirs.recv_until_end(); });
  pair.ours.close();
  reader.join();
  EXPECT_EQ(received.size(), moved);
  EXPECT_TRUE(whole.starts_with(received));
}

TEST_P(engine, cancelled_pieces_tell_how_much_has_moved) {
  half_pair pair = unix_half(on());
  const std::string whole = pattern(8 << 20);
  struct bodies {
    static task<> send(stream& to, const std::vector<piece>& pieces, outcome& out,
                       std::size_t& moved) {
      auto all = to.send_all(std::span(pieces));
      const auto r = co_await all;
      moved = all.moved;
      out.set(r);
    }
    static task<> both(stream& to, const std::vector<piece>& pieces, outcome& out,
                       std::size_t& moved) {
      scope children;
      children.spawn(send(to, pieces, out, moved));
      co_await let_others_run();
      children.cancel();
      co_await children.join();
    }
  };
  outcome out;
  std::size_t moved = 0;
  const auto pieces = cut(whole, {100'000});
  run(bodies::both(pair.ours, pieces, out, moved));
  EXPECT_EQ(out.times, 1);
  EXPECT_EQ(out.code, std::errc::operation_canceled);
  std::string received;
  other_thread reader([&] { received = pair.theirs.recv_until_end(); });
  pair.ours.close();
  reader.join();
  EXPECT_EQ(received.size(), moved);
}

TEST_P(engine, pieces_to_a_peer_that_is_gone_fail) {
  half_pair pair = unix_half(on());
  pair.theirs.close();
  const auto r = run(send_pieces(pair.ours, {piece_of("a"), piece_of("b")}));
  ASSERT_FALSE(r);
  EXPECT_TRUE(is_gone(r.error())) << r.error().message();
}

TEST_P(engine, many_tasks_gather_in_one_turn) {
  constexpr int senders = 300;  // more than an io_uring hands over at a time
  struct bodies {
    static task<> send(stream& to, std::string text, outcome& out) {
      const std::array<piece, 3> pieces{piece_of(text), piece_of("+"), piece_of(text)};
      out.set(co_await to.send_all(pieces));
    }
    static task<> all(std::vector<half_pair>& pairs, std::vector<outcome>& out) {
      scope children;
      for (std::size_t i = 0; i < pairs.size(); ++i)
        children.spawn(send(pairs[i].ours, std::to_string(i), out[i]));
      co_await children.join();
    }
  };
  const int most = traits().blocking ? 20 : senders;
  std::vector<half_pair> pairs;
  for (int i = 0; i < most; ++i) pairs.push_back(unix_half(on()));
  std::vector<outcome> out(pairs.size());
  run(bodies::all(pairs, out));
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    EXPECT_FALSE(out[i].code);
    pairs[i].ours.close();
    EXPECT_EQ(pairs[i].theirs.recv_until_end(), std::to_string(i) + "+" + std::to_string(i));
  }
}

}  // namespace
}  // namespace iolite_test
