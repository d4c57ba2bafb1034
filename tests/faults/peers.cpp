// Faults of the other side: peers that reset, half-close, do not read, do not send, send too much.
#include "fixture.hpp"

#include "support/files.hpp"

#include <csignal>
#include <thread>

namespace iolite_test {
namespace {

using namespace iolite;

task<result<std::string>> accept_and_receive(listener& from) {
  auto peer = co_await from.accept();
  if (!peer) co_return std::unexpected(peer.error());
  co_return co_await receive(*peer);
}

TEST_P(fault_matrix, F06_a_connection_that_was_reset_in_the_queue_harms_no_other) {
  iolite::engine& e = on({});
  auto l = listener::open(e, *endpoint::parse("127.0.0.1:0"));
  ASSERT_TRUE(l);
  raw_socket::connect(l->local()).reset();
  const raw_socket alive = raw_socket::connect(l->local());
  alive.send_all("alive");
  const auto dead = e.run(accept_and_receive(*l));
  ASSERT_FALSE(dead);
  EXPECT_EQ(dead.error(), std::errc::connection_reset);
  happened();
  EXPECT_EQ(e.run(accept_and_receive(*l)).value_or("error"), "alive");
}

task<result<std::uint64_t>> send_path(stream& to, std::string path, transfer how) {
  const auto f = co_await file::open(std::move(path), file_mode::read);
  if (!f) co_return std::unexpected(f.error());
  co_return co_await send_file(to, *f, 0, whole_file, how);
}

// SIGPIPE would end this process.
TEST_P(fault_matrix, F10_a_broken_pipe_is_an_error_and_no_signal) {
  std::signal(SIGPIPE, SIG_DFL);
  iolite::engine& e = on({});
  const auto broken = [&](auto&& send) {
    half_pair p = unix_half(e);
    p.theirs.close();
    const auto r = e.run(send(p.ours));
    ASSERT_FALSE(r);
    EXPECT_TRUE(is_gone(r.error())) << r.error().message();
    happened();
  };
  broken([](stream& to) { return send_text(to, "anyone?"); });
  const temporary_file here;
  here.write(pattern(10'000));
  for (const transfer how : {transfer::copy, transfer::sendfile, transfer::splice}) {
    broken([&](stream& to) { return send_path(to, here.path(), how); });
  }
}

task<std::error_code> connect_within(endpoint to, iolite::clock::duration limit) {
  const auto s = co_await stream::connect(to, limit);
  co_return s ? std::error_code() : s.error();
}

TEST_P(fault_matrix, F14_a_connect_that_is_given_up_leaves_no_socket) {
  iolite::engine& e = on({});
  const full_listener full;
  EXPECT_FALSE(e.run(connect_within(raw_listener().address(), 20s)) ==
               std::errc::timed_out);  // made what an engine makes once
  const int before = open_descriptors();
  for (int i = 0; i < 5; ++i) {
    const std::error_code end = e.run(connect_within(full.listening.address(), 3ms));
    EXPECT_EQ(end, std::errc::timed_out);
    if (end == std::errc::timed_out) happened();
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_P(fault_matrix, F15_after_the_peer_ended_its_side_ours_goes_on) {
  iolite::engine& e = on({});
  for (const auto make : {unix_half, tcp_half}) {
    half_pair p = make(e);
    p.theirs.send_all("last words");
    p.theirs.half_close();
    EXPECT_EQ(e.run(receive_until_end(p.ours)).value_or("error"), "last words");
    happened();
    EXPECT_TRUE(e.run(send_text(p.ours, "still here")));
    EXPECT_EQ(p.theirs.recv_exactly(10), "still here");
  }
}

TEST_P(fault_matrix, F15_after_our_side_ended_theirs_goes_on) {
  iolite::engine& e = on({});
  half_pair p = tcp_half(e);
  EXPECT_TRUE(e.run(send_text(p.ours, "question")));
  EXPECT_TRUE(p.ours.shutdown_write());
  EXPECT_EQ(p.theirs.recv_until_end(), "question");
  happened();
  p.theirs.send_all("answer");
  p.theirs.half_close();
  EXPECT_EQ(e.run(receive_until_end(p.ours)).value_or("error"), "answer");
}

task<std::error_code> send_within(stream& to, std::string_view bytes,
                                  iolite::clock::duration limit) {
  const auto r = co_await (to.send_all(bytes) | within{limit});
  co_return r ? std::error_code() : r.error();
}

TEST_P(fault_matrix, N01_a_peer_that_does_not_read_holds_up_itself_only) {
  iolite::engine& e = on({});
  half_pair slow = unix_half(e), other = unix_half(e);
  const std::string much = pattern(4 << 20);
  EXPECT_EQ(e.run(send_within(slow.ours, much, 5ms)), std::errc::timed_out);
  happened();
  EXPECT_FALSE(e.run(send_within(other.ours, "hello", 20s)));
  EXPECT_EQ(other.theirs.recv_exactly(5), "hello");
}

TEST_P(fault_matrix, N02_a_peer_that_does_not_send_meets_the_limit) {
  iolite::engine& e = on({});
  half_pair silent = unix_half(e);
  silent.ours.set_idle_timeout(5ms);
  const auto got = e.run(receive(silent.ours));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(), std::errc::timed_out);
  happened();
  silent.theirs.send_all("late");  // the stream is good
  EXPECT_EQ(e.run(receive(silent.ours)).value_or("error"), "late");
}

task<> produce(channel<int>& to, std::atomic<int>& most) {
  for (int i = 0; i < 100; ++i) {
    const auto sent = co_await to.send(i);
    EXPECT_TRUE(sent);
    most = std::max(most.load(), static_cast<int>(to.size()));
  }
  to.close();
}
task<int> consume_slowly(std::atomic<int>& most) {
  channel<int> numbers(3);
  scope producer;
  producer.spawn(produce(numbers, most));
  int sum = 0;
  while (const auto n = co_await numbers.receive()) {
    sum += *n;
    co_await let_others_run();
  }
  co_await producer.join();
  co_return sum;
}

TEST_P(fault_matrix, N04_a_producer_that_is_too_fast_waits) {
  iolite::engine& e = on({});
  std::atomic<int> most = 0;
  EXPECT_EQ(e.run(consume_slowly(most)), 4950);
  EXPECT_LE(most, 3);
  happened(most >= 2 ? 1 : 0);  // it was ahead, and no further than there is room
}

TEST_P(fault_matrix, N06_a_length_beyond_the_limit_is_refused_before_anything_is_taken) {
  iolite::engine& e = on({});
  struct body {
    static task<std::error_code> receive(stream& from) {
      frames in(from, {.length_bytes = 4, .max = 1000});
      const auto got = co_await in.receive();
      co_return got ? std::error_code() : got.error();
    }
  };
  // Big-endian: one more than the limit, 2^31 - 1, 2^31, 2^32 - 1.
  const std::string lengths[] = {{0, 0, 3, '\xe9'},
                                 {'\x7f', '\xff', '\xff', '\xff'},
                                 {'\x80', 0, 0, 0},
                                 {'\xff', '\xff', '\xff', '\xff'}};
  for (const std::string& length : lengths) {
    half_pair p = unix_half(e);
    p.theirs.send_all(length);
    EXPECT_EQ(e.run(body::receive(p.ours)), std::errc::message_size);
    happened();
  }
}

}  // namespace
}  // namespace iolite_test
