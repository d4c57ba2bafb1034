// A file takes as long as it likes: nothing else waits for it, and it can be given up.
#include "iolite/file.hpp"

#include "kernel/faulty.hpp"
#include "support/engine_test.hpp"
#include "support/files.hpp"

#include <aio.h>
#include <algorithm>
#include <atomic>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace iolite_test {
namespace {

using namespace iolite;

// A kernel whose helpers take long for what is asked of `file`, until `over`.
class slow_helpers final : public kernel {
 public:
  clock::time_point now() noexcept override { return below_.now(); }
  long invoke(call c, const call_args& a) noexcept override {
    if (over || file < 0) return below_.invoke(c, a);
    if (c == call::aio_error && is_slow(a.as<const aiocb*>(0))) return EINPROGRESS;
    if (c == call::aio_suspend) {
      const auto* const list = a.as<const aiocb* const*>(0);
      const auto* const limit = a.as<const timespec*>(2);
      const bool all_slow = std::all_of(list, list + a.as<int>(1), is_slow_one{file});
      if (all_slow && limit) longest = std::max(longest, limit->tv_sec * 1s + limit->tv_nsec * 1ns);
      if (all_slow) return -EAGAIN;
    }
    return below_.invoke(c, a);
  }
  kernel& undecorated() noexcept override { return below_.undecorated(); }

  std::atomic<int> file = -1;
  std::atomic<bool> over = false;
  clock::duration longest{};  // that anybody would have waited for a slow one alone

 private:
  struct is_slow_one {
    int file;
    bool operator()(const aiocb* c) const { return c && c->aio_fildes == file; }
  };
  [[nodiscard]] bool is_slow(const aiocb* c) const { return is_slow_one{file}(c); }
  kernel& below_ = system_of_test();
};

// The disk is slow, for those engines whose helpers can be made to wait; the loop is not.
TEST_P(engine, others_go_on_while_a_file_is_read) {
  faulty& os = on_faulty({{.what = call::pread, .delay = 100ms}});
  struct body {
    static task<> read(std::string path, bool& over) {
      const file f = co_await open_or_throw(std::move(path), file_mode::read);
      std::string got(100, '\0');
      EXPECT_EQ((co_await f.read_at(0, bytes_of(got))).value_or(0), 100U);
      over = true;
    }
    static task<int> check(std::string path) {
      bool over = false;
      int ticks = 0;
      scope reader;
      reader.spawn(read(std::move(path), over));
      while (!over) {
        static_cast<void>(co_await sleep(1ms));
        ++ticks;
      }
      co_await reader.join();
      co_return ticks;
    }
  };
  if (traits().blocking) GTEST_SKIP() << "each task has a thread: nobody waits for another one";
  const temporary_file here;
  here.write(pattern(100));
  const int ticks = run(body::check(here.path()));
  if (!traits().files) {
    EXPECT_GT(ticks, 5);
    EXPECT_EQ(os.injected(), 1U);
  }
}

// open(2) of a FIFO waits for its other end.
TEST_P(engine, an_open_that_hangs_can_be_given_up) {
  if (is_simulated()) GTEST_SKIP() << "the simulated disk has no FIFOs";
  if (traits().blocking) GTEST_SKIP() << "the call has the thread of its task";
  struct body {
    static task<> open(std::string path, outcome& out) {
      const auto f = co_await file::open(path, file_mode::read);
      out.set(f ? std::error_code() : f.error());
    }
    static task<> check(std::string path, outcome& out) {
      scope s;
      s.spawn(open(path, out));
      for (int i = 0; i < 5; ++i) co_await let_others_run();
      s.cancel();
      co_await s.join();
    }
  };
  const temporary_folder folder;
  const std::string path = folder / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  static_cast<void>(on());
  const int before = open_descriptors();
  outcome out;
  run(body::check(path, out));
  EXPECT_EQ(out.times, 1);
  EXPECT_EQ(out.code, std::errc::operation_canceled);
  // What the call opens after all is nobody's, and is closed. Without a helper in it: ENXIO.
  const int other_end = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (other_end >= 0) {
    pollfd alone{other_end, 0, 0};  // POLLERR: the last reader has gone
    EXPECT_EQ(::poll(&alone, 1, 20'000), 1) << "the descriptor stays open";
    ::close(other_end);
  }
  EXPECT_LE(open_descriptors(), before);
}

// What a peer says meanwhile is heard at once, also where the engine has nothing else to do.
TEST_P(engine, peers_are_answered_while_a_disk_takes_its_time) {
  if (!is_simulated()) GTEST_SKIP() << "a real disk takes as long as it likes";
  constexpr int syncs = 20;
  struct body {
    static task<> sync(std::string path, bool& over) {
      const file f = co_await open_or_throw(std::move(path), file_mode::update);
      for (int i = 0; i < syncs; ++i) EXPECT_TRUE(co_await f.sync());
      over = true;
    }
    static task<> check(stream peer, std::string path, int& rounds) {
      bool over = false;
      scope disk;
      disk.spawn(sync(std::move(path), over));
      while (!over) {
        ++rounds;
        EXPECT_TRUE(co_await send_text(peer, "?"));
        EXPECT_EQ((co_await receive(peer)).value_or("error"), "?");
      }
      co_await disk.join();
    }
  };
  const temporary_file here;
  half_pair pair = unix_half(on());
  other_thread answers([&] {
    for (std::string got; !(got = pair.theirs.recv_some()).empty();) pair.theirs.send_all(got);
  });
  int rounds = 0;
  run(body::check(std::move(pair.ours), here.path(), rounds));
  answers.join();
  EXPECT_GT(rounds, 2 * syncs) << "a disk takes 5 ms each time";
}

// Who waits for a file alone does not see what happens to sockets meanwhile.
TEST_P(engine, a_file_that_takes_long_holds_up_no_stream) {
  struct body {
    static task<> read(const file& f) {
      std::string into(4, '\0');
      EXPECT_EQ((co_await f.read_at(0, bytes_of(into))).value_or(0), 4U);
      EXPECT_EQ(into, "text");
    }
    static task<> all(half_pair& p, std::string path, slow_helpers& os) {
      const file f = co_await open_or_throw(path, file_mode::read);
      os.file = f.native_handle();
      scope s;
      s.spawn(read(f));
      for (int i = 0; i < 5; ++i) {
        co_await let_others_run();
        p.theirs.send_all("x");
        EXPECT_EQ((co_await receive_within(p.ours, 5s)).value_or("?"), "x");
      }
      os.over = true;
      co_await s.join();
    }
  };
  if (traits().blocking) GTEST_SKIP() << "a read holds its thread there";
  const temporary_file here;
  here.write("text");
  slow_helpers os;
  const auto e = new_engine(os, GetParam());
  half_pair p = unix_half(*e);
  e->run(body::all(p, here.path(), os));
  EXPECT_LE(os.longest, 1ms);
}

}  // namespace
}  // namespace iolite_test
