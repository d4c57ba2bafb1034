// Faults that are made without a decorator: real peers, signals, clocks, limits.
#include "fixture.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/backends.hpp"
#include "support/files.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

task<> receive_into(stream& from, outcome& out) {
  std::array<std::byte, 64> into;
  for (;;) {
    const auto n = co_await from.recv(into);
    if (n && *n > 0) continue;
    out.set(n ? std::error_code() : n.error());
    co_return;
  }
}
task<> send_to(stream& to, const std::string& bytes, outcome& out) {
  const auto r = co_await to.send_all(bytes);
  out.set(r);
}
task<> both_pending(stream s, raw_socket& peer, const std::string& bytes, outcome& in,
                    outcome& out) {
  scope children;
  children.spawn(receive_into(s, in));
  children.spawn(send_to(s, bytes, out));
  co_await let_others_run();
  peer.reset();
  co_await children.join();
}

TEST_P(fault_matrix, F11_a_reset_ends_what_is_pending_in_both_directions_once) {
  iolite::engine& e = on({});
  half_pair p = tcp_half(e);
  const std::string bytes = pattern(16 << 20);
  outcome in, out;
  e.run(both_pending(std::move(p.ours), p.theirs, bytes, in, out));
  EXPECT_EQ(in.times, 1);
  EXPECT_EQ(out.times, 1);
  EXPECT_TRUE(is_gone(out.code)) << out.code.message();
  happened(is_gone(out.code) ? 1 : 0);
}

TEST_P(fault_matrix, F16_a_byte_out_of_band_disturbs_nobody) {
  iolite::engine& e = on({});
  half_pair p = tcp_half(e);
  ASSERT_EQ(::send(p.theirs.fd(), "!", 1, MSG_OOB), 1);
  pollfd urgent{p.ours.native_handle(), POLLPRI, 0};
  happened(::poll(&urgent, 1, 20'000) == 1 ? 1 : 0);
  p.theirs.send_all("in band");
  p.theirs.half_close();
  const double before = cpu_seconds();
  const auto got = e.run(receive_until_end(p.ours));
  EXPECT_EQ(got.value_or("error"), "in band");
  EXPECT_LT(cpu_seconds() - before, 1.0) << "it spins";
}

task<std::error_code> ready_to_read(int fd) {
  const auto r = co_await (ready(fd, interest::read) | within{20s});
  co_return r ? std::error_code() : r.error();
}

TEST_P(fault_matrix, F21_a_regular_file_is_always_ready) {
  iolite::engine& e = on({});
  const temporary_file here;
  const owned_fd fd(::open(here.path().c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(e.run(ready_to_read(fd.get())));
  happened();
  EXPECT_EQ(e.run(ready_to_read(987)), std::errc::bad_file_descriptor);
  happened();
}

// A clock that has run for very long.
class late_clock final : public kernel {
 public:
  explicit late_clock(iolite::clock::duration by) noexcept : by_(by) {}
  iolite::clock::time_point now() noexcept override { return kernel::real().now() + by_; }
  long invoke(call c, const call_args& a) noexcept override { return kernel::real().invoke(c, a); }

 private:
  const iolite::clock::duration by_;
};

task<> sleep_and_look(kernel& os, int& early) {
  const auto begin = os.now();
  co_await iolite::sleep(3ms);
  early += os.now() - begin < 3ms ? 1 : 0;
}
task<std::error_code> receive_with_limit(stream s, iolite::clock::duration limit) {
  std::array<std::byte, 8> into;
  const auto n = co_await (s.recv(into) | within{limit});
  co_return n ? std::error_code() : n.error();
}

TEST_P(fault_matrix, F28_a_huge_clock_and_huge_limits) {
  using std::chrono::hours;
  const auto room = iolite::clock::time_point::max() - kernel::real().now();
  for (const iolite::clock::duration by :
       {iolite::clock::duration(std::chrono::milliseconds(1LL << 31)), room - hours(1)}) {
    late_clock os(by);
    happened(os.now() - kernel::real().now() > by / 2 ? 1 : 0);
    auto made = make_engine_on(os, GetParam());
    ASSERT_TRUE(made);
    int early = 0;
    (*made)->run(sleep_and_look(os, early));
    EXPECT_EQ(early, 0);
    for (const iolite::clock::duration limit :
         {iolite::clock::duration(hours(24 * 3650)), iolite::clock::duration::max(),
          iolite::clock::duration(std::chrono::milliseconds(1LL << 31))}) {
      half_pair p = unix_half(**made);
      p.theirs.send_all("x");
      EXPECT_FALSE((*made)->run(receive_with_limit(std::move(p.ours), limit)));
    }
    for (const iolite::clock::duration limit :
         {iolite::clock::duration(2ms), iolite::clock::duration(0), iolite::clock::duration(-1),
          iolite::clock::duration::min()}) {
      half_pair p = unix_half(**made);
      EXPECT_EQ((*made)->run(receive_with_limit(std::move(p.ours), limit)), std::errc::timed_out);
    }
  }
}

task<> tick(iolite::clock::duration length, std::atomic<int>& fired, std::atomic<int>& early) {
  const auto begin = iolite::clock::now();
  co_await iolite::sleep(length);
  early += iolite::clock::now() - begin < length ? 1 : 0;
  ++fired;
}
task<> fifty_ticks(std::atomic<int>& fired, std::atomic<int>& early) {
  scope children;
  for (int i = 0; i < 50; ++i) {
    children.spawn(tick(std::chrono::microseconds(100 + i * 200), fired, early));
  }
  co_await children.join();
}

// Somebody else stops the process and lets it go on.
pid_t stop_and_continue(pid_t whom) {
  const pid_t it = ::fork();
  if (it != 0) return it;
  const timespec pause{0, 30'000'000};
  ::kill(whom, SIGSTOP);
  ::nanosleep(&pause, nullptr);  // tidy: allow sleep, for so long it stands still
  ::kill(whom, SIGCONT);
  ::_exit(0);
}

std::atomic<int> continued = 0;
void count_continuing(int) { ++continued; }

TEST_P(fault_matrix, F29_a_process_that_was_stopped_goes_on) {
  std::signal(SIGCONT, count_continuing);
  continued = 0;
  iolite::engine& e = on({});
  const pid_t other = stop_and_continue(::getpid());
  std::atomic<int> fired = 0, early = 0;
  e.run(fifty_ticks(fired, early));
  int status = 0;
  while (::waitpid(other, &status, 0) < 0 && errno == EINTR) {
  }
  happened(static_cast<std::uint64_t>(continued.load()));
  std::signal(SIGCONT, SIG_DFL);
  EXPECT_EQ(fired, 50);
  EXPECT_EQ(early, 0);
}

std::vector<int> open_numbers() {
  std::vector<int> out;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    out.push_back(std::stoi(entry.path().filename().string()));
  }
  return out;
}

TEST_P(fault_matrix, F31_nothing_is_left_to_a_program_that_is_executed) {
  const std::vector<int> before = open_numbers();
  iolite::engine& e = on({});
  auto l = listener::open(e, *endpoint::parse("127.0.0.1:0"));
  ASSERT_TRUE(l);
  const temporary_file here;
  struct body {
    static task<int> open_all(listener& from, std::string path, std::size_t& many) {
      auto ours = co_await stream::connect(from.local(), 20s);
      auto theirs = co_await from.accept();
      auto f = co_await file::open(path, file_mode::read);
      co_await iolite::sleep(1ms);
      many = open_numbers().size();
      int inherited = 0;
      for (const int fd : open_numbers()) {
        const int flags = ::fcntl(fd, F_GETFD);
        if (flags >= 0 && (flags & FD_CLOEXEC) == 0) ++inherited;
      }
      co_return ours&& theirs&& f ? inherited : -1;
    }
  };
  int inherited_before = 0;
  for (const int fd : before) {
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) ++inherited_before;
  }
  std::size_t many = 0;
  EXPECT_EQ(e.run(body::open_all(*l, here.path(), many)), inherited_before);
  EXPECT_GE(many, before.size() + 4);
  happened(many - before.size());
}

}  // namespace
}  // namespace iolite_test
