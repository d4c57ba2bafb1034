// See each_facility.hpp.
#include "tests/selector/each_facility.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <system_error>
#include <unistd.h>

namespace selector_test {
namespace {

int checked(int r) {
  if (r < 0) throw std::system_error(errno, std::system_category());
  return r;
}

std::atomic<int> storm_count = 0;
void count_one(int) { ++storm_count; }

std::vector<std::string> facilities() {
  std::vector<std::string> names;
  for (const auto& entry : iolite::all_pollers()) names.emplace_back(entry.name);
  return names;
}

}  // namespace

void owned::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

ends unix_pair() {
  int two[2];
  checked(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, two));
  return {owned(two[0]), owned(two[1])};
}

ends pipe_pair() {
  int two[2];
  checked(::pipe2(two, O_NONBLOCK | O_CLOEXEC));
  return {owned(two[0]), owned(two[1])};
}

ends tcp_pair() {
  const owned listener(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t n = sizeof at;
  checked(::bind(listener, reinterpret_cast<sockaddr*>(&at), n));
  checked(::listen(listener, 1));
  checked(::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &n));
  ends e;
  e.b = owned(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  checked(::connect(e.b, reinterpret_cast<sockaddr*>(&at), n));
  e.a = owned(checked(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)));
  checked(::fcntl(e.b, F_SETFL, O_NONBLOCK));
  return e;
}

owned event_fd() { return owned(checked(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))); }

void put(int fd, std::string_view bytes) {
  ASSERT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
}

std::string take(int fd) {
  char some[65536];
  const ssize_t n = ::read(fd, some, sizeof some);
  return {some, n > 0 ? static_cast<std::size_t>(n) : 0};
}

void fill(int fd) {
  const std::string some(4096, 'x');
  while (::write(fd, some.data(), some.size()) > 0) {
  }
  while (::write(fd, some.data(), 1) > 0) {
  }
}

void reset(owned& tcp) {
  const linger now{1, 0};
  ::setsockopt(tcp, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  tcp.close();
}

int open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<int>(std::distance(begin(all), end(all)));
}

bool allow_descriptors(unsigned count) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= count) return true;
  limit.rlim_cur = std::min<rlim_t>(count, limit.rlim_max);
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= count;
}

void PrintTo(const ready& r, std::ostream* out) { *out << "fd " << r.fd << ": " << r.events; }

signal_storm::signal_storm() {
  struct sigaction act{};
  act.sa_handler = count_one;  // no SA_RESTART
  ::sigaction(SIGALRM, &act, nullptr);
  const itimerval each{{0, 1000}, {0, 1000}};
  ::setitimer(ITIMER_REAL, &each, nullptr);
}
signal_storm::~signal_storm() {
  const itimerval none{};
  ::setitimer(ITIMER_REAL, &none, nullptr);
}
int signal_storm::count() { return storm_count; }

void each_facility::SetUp() {
  const int r = iolite_selector_open(GetParam().c_str(), &it);
  if (r == -ENOTSUP) GTEST_SKIP() << GetParam() << ": this system does not have it";
  ASSERT_EQ(r, 0) << std::strerror(-r);
}
void each_facility::TearDown() { iolite_selector_close(std::exchange(it, nullptr)); }

selector_handle each_facility::open_another() {
  iolite_selector* other = nullptr;
  EXPECT_EQ(iolite_selector_open(GetParam().c_str(), &other), 0);
  return selector_handle(other);
}

ready_list each_facility::wait_on(iolite_selector* on, std::int64_t timeout_ns, int max) {
  std::vector<iolite_ready> out(static_cast<std::size_t>(max));
  const int n = iolite_selector_wait(on, out.data(), max, timeout_ns);
  EXPECT_GE(n, 0) << std::strerror(-n);
  EXPECT_LE(n, max);
  ready_list found;
  for (int i = 0; i < n; ++i) {
    const auto& r = out[static_cast<std::size_t>(i)];
    found.push_back({r.fd, r.events});
    EXPECT_NE(r.events, 0U) << r.fd;
  }
  std::ranges::sort(found);
  const auto twice = std::ranges::adjacent_find(found, {}, &ready::fd);
  EXPECT_EQ(twice, found.end()) << "reported twice in one wait";
  return found;
}

INSTANTIATE_TEST_SUITE_P(selector, each_facility, ::testing::ValuesIn(facilities()),
                         [](const auto& one) { return one.param; });

}  // namespace selector_test
