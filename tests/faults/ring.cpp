// Faults of io_uring: rings that are refused, that lack something, that are full.
#include "fixture.hpp"

#include "models/backends.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/resource.h>

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
  // Without incremental buffers each receive gets a whole one; without a ring of them a leased
  // receive waits for data, then takes a buffer.
  for (std::uint64_t refused = 1; refused <= 2; ++refused) {
    iolite::engine& e =
        on({{.what = call::io_uring_register, .nth = 2, .times = refused, .error = EINVAL}});
    EXPECT_EQ(echo_of(e, text, echo_leases), text);
    EXPECT_EQ(os().injected(), refused);
  }
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

// What the accept is told that stood for others. The limit is the one when it began to stand.
task<std::error_code> accept_where_no_descriptor_is_left(listener& from, raw_socket& client) {
  for (int i = 0; i < 10; ++i) {
    const raw_socket one = raw_socket::connect(from.local());
    const auto peer = co_await from.accept();
    if (!peer) co_return peer.error();
  }
  client = raw_socket::connect(from.local());
  std::vector<owned_fd> fillers;
  for (int fd = 0; (fd = ::fcntl(client.fd(), F_DUPFD_CLOEXEC, 0)) >= 0;) fillers.emplace_back(fd);
  const auto refused = co_await from.accept();
  co_return refused ? std::error_code() : refused.error();
}

TEST_P(fault_matrix_io_uring, U06_an_accept_that_stood_ends_and_nobody_is_lost) {
  iolite::engine& e = on({});
  auto l = listener::open(e, endpoint::parse("127.0.0.1:0").value());
  ASSERT_TRUE(l);
  raw_socket client;
  rlimit usual{};
  ::getrlimit(RLIMIT_NOFILE, &usual);
  const rlimit few{64, usual.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &few);
  const std::error_code told = e.run(accept_where_no_descriptor_is_left(*l, client));
  ::setrlimit(RLIMIT_NOFILE, &usual);
  EXPECT_EQ(told, std::errc::too_many_files_open);
  if (told) happened();
  client.send_all("hello");
  client.half_close();
  struct body {
    static task<std::string> next(listener& from) {
      auto peer = co_await from.accept();
      if (!peer) co_return peer.error().message();
      const auto got = co_await receive_until_end(*peer);
      co_return got.value_or("error");
    }
  };
  EXPECT_EQ(e.run(body::next(*l)), "hello");
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
