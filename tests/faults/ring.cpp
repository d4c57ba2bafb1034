// Faults of io_uring: rings that are refused, that lack something, that are full.
#include "fixture.hpp"

#include "backends.hpp"

#include <array>
#include <cerrno>
#include <linux/io_uring.h>

namespace iolite_test {
namespace {

using namespace iolite;

TEST_P(fault_matrix_io_uring, U01_a_ring_that_is_refused_is_one_line) {
  for (const int error : {ENOSYS, EPERM, ENOMEM, EINVAL}) {
    faulty os(kernel::real(),
              {{.what = call::io_uring_setup, .times = fault::for_ever, .error = error}});
    const auto made = make_engine_on(os, GetParam());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, std::error_code(error, std::system_category()));
    EXPECT_NE(made.error().message.find("io_uring"), std::string::npos) << made.error().message;
    EXPECT_GT(os.injected(), 0U);
    happened(os.injected());
  }
}

TEST_P(fault_matrix_io_uring, U02_what_a_kernel_lacks_is_done_without) {
  const std::string text = pattern(200'000);
  for (std::uint64_t refused = 1; refused <= 2; ++refused) {  // set-up flags, one set after another
    iolite::engine& e = on({{.what = call::io_uring_setup, .times = refused, .error = EINVAL}});
    EXPECT_EQ(echo_of(e, text, echo_leases), text);
    EXPECT_EQ(os().injected(), refused);
  }
  // Without buffer rings a leased receive waits for data, then takes a buffer.
  iolite::engine& e = on({{.what = call::io_uring_register, .nth = 2, .error = EINVAL}});
  EXPECT_EQ(echo_of(e, text, echo_leases), text);
}

task<> echo_to_each_other(stream a, stream b, int& right) {
  std::array<std::byte, 4> into;
  for (int i = 0; i < 50; ++i) {
    const auto sent = co_await a.send_all("ping");
    const auto got = co_await b.recv_all(into);
    if (sent && got) ++right;
  }
}
task<> echo_in_many(iolite::engine& e, int& right) {
  scope children;
  for (int i = 0; i < 200; ++i) {
    stream_pair p = unix_streams(e);
    children.spawn(echo_to_each_other(std::move(p.a), std::move(p.b), right));
  }
  co_await children.join();
}

TEST_P(fault_matrix_io_uring, U03_a_ring_of_two_entries_loses_no_submission) {
  for (const unsigned entries : {2U, 4U, 8U}) {
    iolite::engine& e = on({}, {}, {.ring_entries = entries});
    int right = 0;
    e.run(echo_in_many(e, right));
    EXPECT_EQ(right, 200 * 50);
    // In one turn two hundred tasks submit, in a ring that holds so few.
    const std::uint64_t enters = os().calls(call::io_uring_enter);
    EXPECT_GT(enters, 50U);
    happened(enters);
  }
}

task<> receive_in_vain(stream s, int& cancelled) {
  std::array<std::byte, 4> into;
  const auto n = co_await s.recv(into);
  if (!n && n.error() == std::errc::operation_canceled) ++cancelled;
}
task<> cancel_a_thousand(iolite::engine& e, std::vector<raw_socket>& silent, int& cancelled) {
  scope children;
  for (int i = 0; i < 1000; ++i) {
    half_pair p = unix_half(e);
    silent.push_back(std::move(p.theirs));
    children.spawn(receive_in_vain(std::move(p.ours), cancelled));
  }
  co_await iolite::sleep(1ms);
  children.cancel();
  co_await children.join();
}

TEST_P(fault_matrix_io_uring, U04_more_completions_than_places_are_collected) {
  iolite::engine& e = on({}, {}, {.ring_entries = 2});  // four places for completions
  std::vector<raw_socket> silent;
  int cancelled = 0;
  e.run(cancel_a_thousand(e, silent, cancelled));
  EXPECT_EQ(cancelled, 1000);
  happened(static_cast<std::uint64_t>(cancelled) / 1000);  // all in one turn
}

TEST_P(fault_matrix_io_uring, U04_a_busy_ring_is_entered_again) {
  const std::string text = pattern(100'000);
  EXPECT_EQ(
      echo_of(on({{.what = call::io_uring_enter, .nth = 3, .times = 20, .error = EBUSY}}), text),
      text);
}

TEST_P(fault_matrix_io_uring, U04_lost_completions_stop_the_program_in_words) {
  happened();  // nothing else makes it say so
  expect_stops(
      [&] {
        faulty os(kernel::real(), {{.what = call::io_uring_enter, .nth = 2, .error = EBADR}});
        auto made = make_engine_on(os, GetParam());
        static_cast<void>(echo_of(**made, "hello"));
      },
      "the kernel has lost completions");
}

TEST_P(fault_matrix_io_uring, U04_a_ring_that_fails_for_ever_stops_the_program_in_words) {
  happened();  // nothing else makes it say so
  expect_stops(
      [&] {
        faulty os(
            kernel::real(),
            {{.what = call::io_uring_enter, .nth = 1, .times = fault::for_ever, .error = EAGAIN}});
        auto made = make_engine_on(os, GetParam());
        half_pair p = unix_half(**made);
        outcome out;
        (*made)->run(receiving(std::move(p.ours), out));
      },
      "io_uring_enter fails and goes on failing");
}

TEST_P(fault_matrix_io_uring, U05_a_receive_without_a_buffer_waits_for_one) {
  iolite::engine& e = on({}, {{.opcode = IORING_OP_RECV, .nth = 2, .error = ENOBUFS}});
  half_pair p = unix_half(e);
  struct body {
    static task<std::error_code> twice(stream s, raw_socket& peer) {
      peer.send_all("a");
      auto first = co_await (s.recv_lease() | within{20s});
      if (!first) co_return first.error();
      peer.send_all("b");  // finds no buffer, as the ring says, until one comes back
      auto second = co_await (s.recv_lease() | within{5ms});
      co_return second ? std::error_code() : second.error();
    }
  };
  const std::error_code end = e.run(body::twice(std::move(p.ours), p.theirs));
  EXPECT_TRUE(!end || end == std::errc::timed_out) << end.message();
  EXPECT_GT(e.stats().starved_receives, 0U);
}

TEST_P(fault_matrix_io_uring, U07_whatever_a_cancel_is_answered_it_ends_once) {
  for (const int error : {ENOENT, EALREADY}) {
    iolite::engine& e = on({}, {{.opcode = IORING_OP_ASYNC_CANCEL, .error = error}});
    half_pair p = unix_half(e);
    std::vector<raw_socket> silent;
    int cancelled = 0;
    struct body {
      static task<> cancel_it(stream s, int& out) {
        scope children;
        children.spawn(receive_in_vain(std::move(s), out));
        co_await iolite::sleep(1ms);
        children.cancel();
        co_await children.join();
      }
    };
    e.run(body::cancel_it(std::move(p.ours), cancelled));
    EXPECT_EQ(cancelled, 1);
  }
}

TEST_P(fault_matrix_io_uring, U13_completions_that_are_cut_short_are_carried_on) {
  const std::string text = pattern(20'000);
  EXPECT_EQ(echo_of(on({}, {{.opcode = IORING_OP_RECV, .times = fault::for_ever, .shorten_to = 7},
                            {.opcode = IORING_OP_SEND, .times = fault::for_ever, .shorten_to = 5}}),
                    text),
            text);
}

}  // namespace
}  // namespace iolite_test
