// Descriptors of which a facility is not told everything: eventfd(2) sends no signals, a terminal
// none when it is hung up, and a pipe wrong ones.
#include "seen.hpp"

#include <array>
#include <cstdlib>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace iolite_test {
namespace {

using namespace iolite;

// An eventfd(2) that is waited for can be written to all the time: nobody asked for that. It may
// neither keep others waiting nor keep the loop busy.
TEST_P(engine, a_descriptor_that_is_ready_for_the_other_direction_disturbs_nobody) {
  struct body {
    static task<> receive_one(stream& from, std::string& got) {
      const auto r = co_await receive_within(from, 5s);
      got = r.value_or(r ? "" : r.error().message());
    }
    static task<> all(half_pair& p, int events, seen& out, std::string& got) {
      scope watching;
      watching.spawn(see(events, interest::read, out));
      scope receiving;
      receiving.spawn(receive_one(p.ours, got));
      auto pause = sleep(50ms);  // both wait; something that burns does so now
      co_await pause;
      p.theirs.send_all("x");
      co_await receiving.join();
      EXPECT_EQ(got, "x");
      constexpr std::uint64_t one = 1;
      EXPECT_EQ(system_of_test().write(events, &one, sizeof one), 8);
      co_await watching.join();
    }
  };
  half_pair p = unix_half(on());
  const owned_fd events(system_of_test().eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  EXPECT_FALSE(run(receive_within(p.ours, 50ms)));
  const auto idle = on().stats().waits;
  const auto waits = on().stats().waits;
  seen out;
  std::string got;
  run(body::all(p, events.get(), out, got));
  expect_seen(out, interest::read);
  if (is_simulated()) {  // where nobody else is busy
    EXPECT_LT(on().stats().waits - waits, 10 * idle + 100) << "the loop was busy while all waited";
  }
}

// One that stays ready, since nobody takes what it has, is told each time; so are the others.
TEST_P(engine, a_descriptor_that_stays_ready_keeps_nobody_waiting) {
  if (traits().blocking) GTEST_SKIP() << "each task has a thread of its own there";
  struct body {
    static task<> watch(int events, const bool& over) {
      while (!over) {
        const auto r = co_await (ready(events, interest::read) | within{10s});
        EXPECT_TRUE(r);
      }
    }
    static task<> all(half_pair& p, int events) {
      bool over = false;
      scope s;
      s.spawn(watch(events, over));
      for (int i = 0; i < 5; ++i) {
        co_await let_others_run();
        p.theirs.send_all("x");
        const auto r = co_await receive_within(p.ours, 5s);
        EXPECT_EQ(r.value_or("nothing"), "x") << i;
      }
      over = true;
      co_await s.join();
    }
  };
  half_pair p = unix_half(on());
  const owned_fd events(system_of_test().eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  run(body::all(p, events.get()));
}

TEST_P(engine, the_writing_end_of_a_pipe_is_ready_to_read_when_the_reader_is_gone) {
  struct body {
    static task<> all(pipe_ends& p, seen& out) {
      scope s;
      s.spawn(see(p.writer.get(), interest::read, out));
      auto pause = sleep(100ms);  // longer than second looks go on
      co_await pause;
      p.reader.close();
      co_await s.join();
    }
  };
  pipe_ends p = new_pipe();
  seen out;
  run(body::all(p, out));
  expect_seen(out, interest::read);
}

// poll(2) calls that a hang-up; of the second of the two steps no signal tells.
TEST_P(engine, a_send_that_waits_sees_that_the_peer_has_ended_both_sides) {
  struct body {
    static task<> send(stream& to, std::string_view text, outcome& out) {
      const auto r = co_await (to.send_all(text) | within{10s});
      out.set(r);
    }
    static task<> all(half_pair& p, std::string_view text, outcome& out) {
      scope s;
      s.spawn(send(p.ours, text, out));
      for (const int side : {SHUT_WR, SHUT_RD}) {
        auto pause = sleep(100ms);  // longer than second looks go on
        co_await pause;
        EXPECT_EQ(system_of_test().shutdown(p.theirs.fd(), side), 0);
      }
      co_await s.join();
    }
  };
  may_miss_events();
  half_pair p = unix_half(on());
  const std::string text = pattern(4 << 20);
  outcome out;
  run(body::all(p, text, out));
  EXPECT_TRUE(is_gone(out.code)) << out.code.message();
}

// A receive ends at a byte out of band, short though more has come: the rest is not news any more.
TEST_P(engine, what_follows_a_byte_out_of_band_is_received_at_once) {
  if (is_simulated()) GTEST_SKIP() << "no bytes go out of band in simulated worlds";
  struct body {
    static task<> send_all(half_pair& p) {
      co_await let_others_run();
      p.theirs.send_all("abc");
      EXPECT_EQ(::send(p.theirs.fd(), "!", 1, MSG_OOB | MSG_NOSIGNAL), 1);
      p.theirs.send_all("def");
    }
    static task<> check(half_pair& p, std::string& got) {
      scope s;
      s.spawn(send_all(p));
      while (got.size() < 6) {
        const auto r = co_await receive_within(p.ours, 5s);
        got += r.value_or("?");
      }
      co_await s.join();
    }
  };
  half_pair p = tcp_half(on());
  std::string got;
  run(body::check(p, got));
  EXPECT_EQ(got, "abcdef");
  EXPECT_EQ(on().stats().missed_events, 0U) << "it was found by a second look, 10 ms later";
}

// A terminal whose other side is gone refuses to send signals: ENOTTY. See ioctl_tty(2).
TEST_P(engine, a_terminal_that_is_hung_up_disturbs_nobody) {
  if (is_simulated()) GTEST_SKIP() << "there are no terminals in simulated worlds";
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) GTEST_SKIP() << "no pseudo-terminals here";
  owned_fd other(master);
  char name[64];
  ASSERT_EQ(::grantpt(master), 0);
  ASSERT_EQ(::unlockpt(master), 0);
  ASSERT_EQ(::ptsname_r(master, name, sizeof name), 0);
  const owned_fd terminal(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_GE(terminal.get(), 0);
  struct body {
    static task<> all(half_pair& p, int fd, std::array<seen, 2>& out) {
      const auto none = co_await receive_within(p.ours, 1ms);  // the engine has waited
      EXPECT_FALSE(none);
      scope s;
      for (seen& one : out) s.spawn(see(fd, interest::read, one));
      co_await s.join();
      p.theirs.send_all("x");
      const auto r = co_await receive_within(p.ours, 5s);
      EXPECT_EQ(r.value_or("nothing"), "x");
    }
  };
  other.close();
  half_pair p = unix_half(on());
  for (int round = 0; round < 2; ++round) {
    std::array<seen, 2> out;
    run(body::all(p, terminal.get(), out));
    for (const seen& one : out) expect_seen(one, interest::read);
  }
}

// The same, when it hangs up while it is waited for: no signal says so.
TEST_P(engine, a_terminal_that_hangs_up_is_ready) {
  if (is_simulated()) GTEST_SKIP() << "there are no terminals in simulated worlds";
  const owned_fd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master.is_open()) GTEST_SKIP() << "no pseudo-terminals here";
  char name[64];
  ASSERT_EQ(::grantpt(master.get()), 0);
  ASSERT_EQ(::unlockpt(master.get()), 0);
  ASSERT_EQ(::ptsname_r(master.get(), name, sizeof name), 0);
  owned_fd terminal(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  struct body {
    static task<> all(int fd, owned_fd& other, seen& out) {
      scope s;
      s.spawn(see(fd, interest::read, out));
      auto pause = sleep(100ms);  // longer than any second look
      co_await pause;
      other.close();
      co_await s.join();
    }
  };
  seen out;
  run(body::all(master.get(), terminal, out));
  expect_seen(out, interest::read);
}

}  // namespace
}  // namespace iolite_test
