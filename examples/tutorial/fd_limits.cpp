// What one event costs when many others do not happen.
//
// select(2) and poll(2) are told about every descriptor in every call, and look at each of them:
// the price of an event grows with the number of those that are silent. epoll(7) and io_uring(7)
// remember, and are only told what is new. select ends at descriptor 1,023 besides.
//
// One message goes through a socket pair again and again while the others wait.
#include "support/options.hpp"
#include "support/sockets.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <fmt/core.h>
#include <iolite/iolite.hpp>
#include <optional>
#include <string>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr int spare = 32;  // descriptors of the program itself

double cpu_nanoseconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

iolite::task<> stay_silent(int fd) { co_await iolite::ready(fd, iolite::interest::read); }

iolite::task<> receive_all(iolite::stream& from, int messages) {
  std::array<std::byte, 1> byte;
  for (int i = 0; i < messages; ++i) {
    if (!co_await from.recv_all(byte)) co_return;
  }
}

iolite::task<> send_and_receive(iolite::stream& a, iolite::stream& b) {
  const std::array byte{std::byte{1}};
  co_await iolite::in_scope([&](iolite::scope& one) -> iolite::task<> {
    one.spawn(receive_all(b, 1));  // it waits: nothing has been sent
    static_cast<void>(co_await a.send_all(byte));
  });
}

// Nanoseconds of processor time for one message, with all of `silent` being waited for.
iolite::task<double> cost_of_one(const std::vector<int>& silent, iolite::stream a, iolite::stream b,
                                 int messages) {
  co_return co_await iolite::in_scope([&](iolite::scope& waiting) -> iolite::task<double> {
    for (const int fd : silent) waiting.spawn(stay_silent(fd));
    double begin = 0;
    for (int i = -messages / 10; i < messages; ++i) {  // the first ones only warm up
      if (i == 0) begin = cpu_nanoseconds();
      co_await send_and_receive(a, b);
    }
    const double spent = cpu_nanoseconds() - begin;
    waiting.cancel();
    co_return spent / messages;
  });
}

std::optional<double> measure(const std::string& model, std::size_t count, int messages) {
  auto engine = iolite::make_engine(model);
  if (!engine) return std::nullopt;
  const int limit = (*engine)->traits().fd_limit;
  if (limit > 0 && count + spare > static_cast<std::size_t>(limit)) return std::nullopt;
  std::vector<int> silent(count);
  for (int& fd : silent) fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int two[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, two) < 0)
    tutorial::fail("no socket pair");
  const double ns = (*engine)->run(cost_of_one(silent, iolite::stream(**engine, two[0], false),
                                               iolite::stream(**engine, two[1], false), messages));
  for (const int fd : silent) ::close(fd);
  return ns;
}

}  // namespace

int main(int argc, char** argv) {
  int messages = 2000;
  int most = 10'000;
  tutorial::parse(argc, argv, "the cost of one event beside many silent descriptors",
                  {{"--messages", &messages, "in each measurement"},
                   {"--most", &most, "silent descriptors at most"}});
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const std::array models{"select", "poll", "epoll", "io_uring"};
  fmt::print("us CPU a message\n   silent");
  for (const char* m : models) fmt::print("{:>10}", m);
  for (int count = 10; count <= most; count *= 10) {
    if (static_cast<rlim_t>(count) + spare > files.rlim_cur) {
      fmt::print("\n{} descriptors are more than `ulimit -Hn` allows here", count);
      break;
    }
    fmt::print("\n{:>9}", count);
    for (const char* m : models) {
      const auto ns = measure(m, static_cast<std::size_t>(count), std::max(messages, 10));
      fmt::print("{:>10}", ns ? fmt::format("{:.2f}", *ns / 1000) : "-");
      std::fflush(stdout);
    }
  }
  fmt::print("\n");
}
