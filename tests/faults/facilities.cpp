// Faults of one facility: signals that do not fit, limits, helpers that cannot be had.
#include "fixture.hpp"

#include "models/availability.hpp"
#include "models/backends.hpp"
#include "support/files.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <sys/resource.h>

namespace iolite_test {
namespace {

using namespace iolite;

task<> hear_one(stream s, int& heard) {
  std::array<std::byte, 8> into;
  const auto n = co_await (s.recv(into) | within{20s});
  if (n && *n == 1) ++heard;
}
task<> hear_all(std::vector<half_pair>& pairs, int& heard) {
  scope children;
  for (half_pair& p : pairs) children.spawn(hear_one(std::move(p.ours), heard));
  co_await let_others_run();
  for (const half_pair& p : pairs) p.theirs.send_all("x");
  co_await children.join();
}

TEST_P(fault_matrix_signal, F24_signals_that_do_not_fit_the_queue_lose_no_event) {
  const child_end end = run_in_child([&] {
    const rlimit few{8, 8};
    ASSERT_EQ(::setrlimit(RLIMIT_SIGPENDING, &few), 0);
    faulty counting(kernel::real());
    auto made = make_engine_on(counting, GetParam());
    ASSERT_TRUE(made);
    constexpr int many = 300;
    std::vector<half_pair> pairs;
    for (int i = 0; i < many; ++i) pairs.push_back(unix_half(**made));
    int heard = 0;
    (*made)->run(hear_all(pairs, heard));
    EXPECT_EQ(heard, many);
    // Had each of them come by a signal of its own, each would have been taken by a call.
    EXPECT_LT(counting.calls(call::sigtimedwait), static_cast<std::uint64_t>(many));
  });
  EXPECT_EQ(end.exit_status, 0) << end.errors;
  happened();  // or the child would have failed
}

TEST_P(fault_matrix_poll, F23_more_descriptors_than_the_limit_stop_the_program_in_words) {
  happened();  // nothing else makes it say so
  expect_stops(
      [&] {
        const auto e = new_engine(GetParam());
        std::vector<half_pair> pairs;
        for (int i = 0; i < 40; ++i) pairs.push_back(unix_half(*e));
        const rlimit few{10, 10};
        ::setrlimit(RLIMIT_NOFILE, &few);
        int heard = 0;
        e->run(hear_all(pairs, heard));
      },
      "the poller cannot wait any more");
}

task<std::string> write_and_read(std::string path) {
  std::string text = "some bytes", back(10, ' ');
  auto f = co_await file::open(path, file_mode::update);
  if (!f) co_return f.error().message();
  const auto out = co_await f->write_at(0, bytes_of(text));
  if (!out) co_return out.error().message();
  const auto synced = co_await f->sync();
  if (!synced) co_return synced.error().message();
  const auto in = co_await f->read_at(0, bytes_of(back));
  if (!in) co_return in.error().message();
  co_return back;
}

TEST_P(fault_matrix_posix_aio, F26_without_helpers_the_loop_makes_the_calls) {
  const std::string text = pattern(50'000);
  std::vector<fault> none;
  for (const call c : {call::aio_read, call::aio_write, call::aio_fsync}) {
    none.push_back({.what = c, .times = fault::for_ever, .error = EAGAIN});
  }
  iolite::engine& e = on(std::move(none));
  EXPECT_EQ(echo_of(e, text), text);
  const temporary_file here;
  EXPECT_EQ(e.run(write_and_read(here.path())), "some bytes");
  EXPECT_GT(os().injected(), 3U);
}

// The self-test decides what `auto` takes, and what a report says.
TEST_P(fault_matrix, F07_a_shortage_met_by_the_self_test_is_no_broken_facility) {
  constexpr call any_of[] = {call::socketpair,
                             call::eventfd,
                             call::epoll_create1,
                             call::epoll_ctl,
                             call::pipe2,
                             call::fcntl,
                             call::recv,
                             call::send,
                             call::io_uring_setup,
                             call::mmap,
                             call::io_uring_register};
  for (const call c : any_of) {
    for (const int error : {EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN}) {
      // To these they are other news: nothing there yet, or no buffer to lend.
      const bool transfers = c == call::recv || c == call::send;
      if (transfers && (error == EAGAIN || error == ENOBUFS)) continue;
      // One of these enables the ring, which takes no memory: failing for ever is no shortage.
      const std::uint64_t times = c == call::io_uring_register ? 1 : fault::for_ever;
      for (std::uint64_t nth = 1; nth <= 3; ++nth) {
        faulty os(kernel::real(), {{.what = c, .nth = nth, .times = times, .error = error}});
        auto made = make_engine_on(os, GetParam());
        const availability found =
            made ? test_engine(os, GetParam(), {std::move(*made), 0})
                 : availability{false, made.error().code.value(), made.error().message};
        happened(os.injected());
        if (found.ok) continue;  // it does without
        EXPECT_TRUE(is_shortage(found.error)) << name_of(c) << ' ' << error << ": " << found.reason;
        EXPECT_EQ(found.reason.find("report"), std::string::npos) << found.reason;
      }
    }
  }
}

// What cannot wait cannot complete anything either. Sleeping needs no facility.
TEST_P(fault_matrix_of_calls, F08_a_wait_that_fails_for_ever_stops_the_program_in_words) {
  happened();  // nothing else makes it say so
  if (is("blocking") || is("nonblocking")) GTEST_SKIP() << "it waits for want of memory to pass";
  expect_stops(
      [&] {
        std::vector<fault> plan;
        for (const call c : {call::poll, call::select, call::epoll_wait, call::sigtimedwait}) {
          plan.push_back({.what = c,
                          .nth = c == call::poll ? 3U : 1U,
                          .times = fault::for_ever,
                          .error = ENOMEM});
        }
        faulty os(kernel::real(), std::move(plan));
        auto made = make_engine_on(os, GetParam());
        half_pair p = unix_half(**made);
        outcome out;
        (*made)->run(receiving(std::move(p.ours), out));
      },
      "the poller cannot wait any more");
}

}  // namespace
}  // namespace iolite_test
