// From a file to a socket, in each way there is.
#include "kernel/faulty.hpp"
#include "support/engine_test.hpp"
#include "support/files.hpp"

#include <csignal>
#include <fcntl.h>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr transfer ways[] = {transfer::best, transfer::copy, transfer::sendfile, transfer::splice};

task<result<std::uint64_t>> send_path(stream& to, std::string path, transfer how,
                                      std::uint64_t at = 0, std::uint64_t length = whole_file) {
  const auto f = co_await file::open(std::move(path), file_mode::read);
  if (!f) co_return std::unexpected(f.error());
  co_return co_await send_file(to, *f, at, length, how);
}

TEST_P(engine, a_file_is_sent_byte_exact) {
  struct body {
    static task<> check(stream to, std::string path, transfer how, std::size_t bytes) {
      EXPECT_EQ((co_await send_path(to, path, how)).value_or(1), bytes);
    }
  };
  for (const transfer how : ways) {
    for (const std::size_t bytes : {0UL, 1UL, 4096UL, 3'000'001UL}) {
      const temporary_file here;
      const std::string text = pattern(bytes);
      here.write(text);
      half_pair p = tcp_half(on());
      EXPECT_TRUE(p.ours.set_buffers(256 * 1024, 65'536)) << "so that it has to wait";
      std::string got;
      other_thread reader([&] { got = p.theirs.recv_until_end(); });
      run(body::check(std::move(p.ours), here.path(), how, bytes));
      reader.join();
      EXPECT_TRUE(got == text) << static_cast<int>(how) << ", " << bytes << " bytes";
    }
  }
}

// The kernel tells a reset once: see a_receive_after_a_send_that_met_a_reset_tells_it_too.
TEST_P(engine, a_receive_after_a_file_that_met_a_reset_tells_it_too) {
  struct body {
    static task<> check(stream ours, std::string path, transfer how) {
      for (;;) {
        const auto sent = co_await send_path(ours, path, how);
        if (sent) continue;
        EXPECT_EQ(sent.error(), std::errc::connection_reset);
        break;
      }
      const auto got = co_await receive(ours, 1);
      EXPECT_EQ(got ? std::error_code() : got.error(), std::errc::connection_reset);
      const auto then = co_await receive(ours, 1);
      EXPECT_EQ(then.value_or("error"), "") << "it is told once";
    }
  };
  for (const transfer how : ways) {
    SCOPED_TRACE(static_cast<int>(how));
    const temporary_file here;
    here.write("x");
    half_pair p = tcp_half(on());
    p.theirs.reset();
    run(body::check(std::move(p.ours), here.path(), how));
  }
}

// The mode of a socket is its own: whoever has its number next keeps theirs.
TEST_P(engine, a_stream_closed_while_a_file_is_sent_leaves_the_next_of_its_number_alone) {
  if (traits().own_descriptors) GTEST_SKIP() << "nobody else has numbers of its sockets";
  if (traits().blocking) GTEST_SKIP() << "a stream is closed by the thread that uses it";
  struct bodies {
    static task<> sends(stream& to, std::string path, transfer how) {
      EXPECT_FALSE((co_await send_path(to, path, how)).has_value());
    }
    static task<> all(stream to, std::string path, transfer how) {
      scope children;
      children.spawn(sends(to, path, how));
      co_await let_others_run();
      const int number = to.native_handle();
      to.close();
      kernel& os = system_of_test();
      std::vector<owned_fd> next;
      for (int fd = 0; fd >= 0 && fd < number;) {
        fd = os.open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
        next.emplace_back(fd);
      }
      co_await children.join();
      for (const owned_fd& fd : next) EXPECT_NE(os.fcntl(fd.get(), F_GETFL) & O_APPEND, 0);
    }
  };
  for (const transfer how : {transfer::sendfile, transfer::splice}) {
    const temporary_file here;
    here.write(pattern(8 << 20));
    half_pair p = unix_half(on());
    run(bodies::all(std::move(p.ours), here.path(), how));
  }
}

TEST_P(engine, a_part_of_a_file_is_sent) {
  struct body {
    static task<> check(stream to, std::string path, transfer how) {
      EXPECT_EQ((co_await send_path(to, path, how, 2, 3)).value_or(0), 3U);
      EXPECT_EQ((co_await send_path(to, path, how, 6, 100)).value_or(0), 2U) << "the file ends";
      EXPECT_EQ((co_await send_path(to, path, how, 100, 1)).value_or(9), 0U) << "beyond the end";
      EXPECT_EQ((co_await send_path(to, path, how, 0, 0)).value_or(9), 0U);
      EXPECT_EQ((co_await send_path(to, path, how, offset_max - 2)).value_or(9), 0U);
      for (const std::uint64_t at : {offset_max + 1, ~std::uint64_t{0}}) {
        const auto none = co_await send_path(to, path, how, at);
        EXPECT_EQ(none ? std::error_code() : none.error(), std::errc::invalid_argument);
      }
    }
  };
  for (const transfer how : ways) {
    const temporary_file here;
    here.write("01234567");
    half_pair p = unix_half(on());
    run(body::check(std::move(p.ours), here.path(), how));
    EXPECT_EQ(p.theirs.recv_until_end(), "23467");
  }
}

TEST_P(engine, a_stream_receives_while_it_sends_a_file) {
  struct body {
    static task<> receive_all(stream& from, std::string& got) {
      got = (co_await receive_exactly(from, 300'000)).value_or("");
    }
    static task<> check(stream both, std::string path, transfer how, std::string& got) {
      scope receiver;
      receiver.spawn(receive_all(both, got));
      EXPECT_TRUE(co_await send_path(both, path, how));
      co_await receiver.join();
    }
  };
  for (const transfer how : ways) {
    const temporary_file here;
    const std::string up = pattern(300'000, 1);
    const std::string down = pattern(2'000'000, 2);
    here.write(down);
    half_pair p = tcp_half(on());
    std::string got_down;
    std::string got_up;
    other_thread sender([&] { EXPECT_TRUE(p.theirs.send_all(up)); });
    other_thread reader([&] { got_down = p.theirs.recv_until_end(); });
    run(body::check(std::move(p.ours), here.path(), how, got_up));
    sender.join();
    reader.join();
    EXPECT_TRUE(got_up == up);
    EXPECT_TRUE(got_down == down);
  }
}

int mode_of(const stream& s) {
  const system_descriptor socket(s);
  const int mode = system_of_test().fcntl(socket.number(), F_GETFL);
  EXPECT_GE(mode, 0);
  return mode;
}

TEST_P(engine, sending_a_file_leaves_the_socket_in_its_mode) {
  struct body {
    static task<> check(stream to, std::string path) {
      const int before = mode_of(to);
      for (const transfer how : ways) EXPECT_TRUE(co_await send_path(to, path, how));
      EXPECT_EQ(mode_of(to), before);
    }
  };
  const temporary_file here;
  here.write("text");
  half_pair p = unix_half(on());
  run(body::check(std::move(p.ours), here.path()));
}

// The signal that a broken pipe raises would end the program.
TEST_P(engine, a_file_sent_to_a_peer_that_is_gone_is_an_error_and_no_signal) {
  struct body {
    static task<> check(stream to, std::string path, transfer how) {
      std::error_code last;
      for (int i = 0; i < 100 && !last; ++i) {  // what the buffers still take is sent
        const auto sent = co_await send_path(to, path, how);
        if (!sent) last = sent.error();
      }
      EXPECT_TRUE(is_gone(last)) << last.message();
    }
  };
  const temporary_file here;
  here.write(pattern(100'000));
  const child_end end = run_in_child([&] {
    ::signal(SIGPIPE, SIG_DFL);
    const auto e = new_engine(GetParam());
    for (const transfer how : ways) {
      for (const auto make : {unix_half, tcp_half}) {
        half_pair p = make(*e);
        p.theirs.close();
        e->run(body::check(std::move(p.ours), here.path(), how));
      }
    }
  });
  EXPECT_EQ(end.exit_status, 0) << end.errors;
}

// The program blocks SIGPIPE and waits for it itself: one of its own is not ours to take, and ours
// is not to be seen.
TEST_P(engine, a_pipe_signal_of_the_program_is_still_there_after_a_file_was_sent) {
  struct body {
    static task<> check(stream to, std::string path, transfer how) {
      std::error_code last;
      for (int i = 0; i < 100 && !last; ++i) {
        const auto sent = co_await send_path(to, path, how);
        if (!sent) last = sent.error();
      }
      EXPECT_TRUE(is_gone(last)) << last.message();
    }
  };
  const temporary_file here;
  here.write(pattern(100'000));
  const child_end end = run_in_child([&] {
    const auto e = new_engine(GetParam());
    kernel& os = system_of_test();
    sigset_t pipe_signal, waiting;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    os.sigprocmask(SIG_BLOCK, &pipe_signal, nullptr);
    for (const bool waits : {false, true}) {
      raw_pair broken = raw_unix_pair();
      broken.b.close();
      if (waits) {
        EXPECT_EQ(os.send(broken.a.fd(), "x", 1, 0), -EPIPE);
      }
      for (const transfer how : ways) {
        half_pair p = unix_half(*e);
        p.theirs.close();
        e->run(body::check(std::move(p.ours), here.path(), how));
        os.sigpending(&waiting);
        EXPECT_EQ(sigismember(&waiting, SIGPIPE), waits ? 1 : 0) << static_cast<int>(how);
      }
      constexpr timespec at_once{};
      EXPECT_EQ(os.sigtimedwait(&pipe_signal, nullptr, &at_once), waits ? SIGPIPE : -EAGAIN);
    }
  });
  EXPECT_EQ(end.exit_status, 0) << end.errors;
}

TEST_P(engine, a_file_sent_to_a_peer_that_does_not_read_times_out) {
  struct body {
    static task<> check(stream to, std::string path, transfer how) {
      to.set_idle_timeout(50ms);
      const auto sent = co_await send_path(to, path, how);
      EXPECT_EQ(sent ? std::error_code() : sent.error(), std::errc::timed_out);
    }
  };
  const temporary_file here;
  here.write(pattern(16 << 20));
  for (const transfer how : ways) {
    half_pair p = tcp_half(on());
    run(body::check(std::move(p.ours), here.path(), how));
  }
}

TEST_P(engine, sending_a_file_is_cancelled) {
  struct body {
    static task<> send(stream& to, std::string path, transfer how, outcome& out) {
      const auto sent = co_await send_path(to, path, how);
      out.set(sent ? std::error_code() : sent.error());
    }
    static task<> check(stream to, std::string path, transfer how, outcome& out) {
      scope sender;
      sender.spawn(send(to, path, how, out));
      co_await let_others_run();
      sender.cancel();
      co_await sender.join();
    }
  };
  const temporary_file here;
  here.write(pattern(16 << 20));
  for (const transfer how : ways) {
    half_pair p = tcp_half(on());
    outcome out;
    run(body::check(std::move(p.ours), here.path(), how, out));
    EXPECT_EQ(out.times, 1);
    EXPECT_EQ(out.code, std::errc::operation_canceled);
  }
}

TEST_P(engine, a_file_is_copied_where_the_kernel_has_no_sendfile) {
  faulty& os =
      on_faulty({{.what = call::sendfile, .nth = 1, .times = fault::for_ever, .error = EINVAL}});
  struct body {
    static task<> check(stream to, std::string path) {
      EXPECT_EQ((co_await send_path(to, path, transfer::best)).value_or(0), 100'000U);
      const auto insisted = co_await send_path(to, path, transfer::sendfile);
      EXPECT_EQ(insisted ? std::error_code() : insisted.error(), std::errc::invalid_argument);
    }
  };
  const temporary_file here;
  const std::string text = pattern(100'000);
  here.write(text);
  half_pair p = unix_half(on());
  std::string got;
  other_thread reader([&] { got = p.theirs.recv_until_end(); });
  run(body::check(std::move(p.ours), here.path()));
  reader.join();
  EXPECT_TRUE(got == text);
  EXPECT_EQ(os.injected(), 2U);
}

}  // namespace
}  // namespace iolite_test
