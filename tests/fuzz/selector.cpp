// Sequences of operations on a selector, on every facility, against a model: a table of what is
// watched, and poll(2) to say what is ready.
#include "iolite/selector.h"
#include "fuzz.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <set>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace {

constexpr std::array facilities = {"epoll", "poll", "select", "nonblocking"};
constexpr std::size_t pairs = 3;

class machine {
 public:
  explicit machine(const char* facility) {
    fuzz::require(iolite_selector_open(facility, &it_) == 0, "it opens");
    for (auto& p : fds_) make(p);
  }
  machine(const machine&) = delete;
  machine& operator=(const machine&) = delete;
  ~machine() {
    iolite_selector_close(it_);
    for (auto& p : fds_) close_both(p);
  }

  void step(fuzz::decisions& choose) {
    auto& pair = fds_[choose.below(pairs)];
    switch (choose.below(10)) {
    case 0: return add(pair[0], choose.below(4));
    case 1: return modify(pair[0], choose.below(4));
    case 2: return remove(pair[0]);
    case 3: return put(pair[1]);
    case 4: return take(pair[0]);
    case 5: return fill(pair[0]);
    case 6: return end(pair[1]);
    case 7: return replace(pair);
    case 8: return wake();
    default: return wait(static_cast<int>(1 + choose.below(pairs)));
    }
  }
  void wait_for_all() { wait(static_cast<int>(pairs)); }

 private:
  struct watch {
    unsigned events;
    void* data;
  };

  static void make(std::array<int, 2>& p) {
    fuzz::require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.data()) == 0, "a pair");
  }
  static void close_both(std::array<int, 2>& p) {
    for (int& fd : p) {
      if (fd >= 0) ::close(fd);
      fd = -1;
    }
  }

  void add(int fd, unsigned events) {
    void* const data = next_data();
    const int r = iolite_selector_add(it_, fd, events, data);
    const int expected = watched_.contains(fd) ? -EEXIST : 0;
    fuzz::require(r == (events == 0 ? -EINVAL : expected), "add", std::to_string(r));
    if (r == 0) watched_[fd] = {events, data};
  }
  void modify(int fd, unsigned events) {
    void* const data = next_data();
    const int r = iolite_selector_modify(it_, fd, events, data);
    const int expected = watched_.contains(fd) ? 0 : -ENOENT;
    fuzz::require(r == (events == 0 ? -EINVAL : expected), "modify", std::to_string(r));
    if (r == 0) watched_[fd] = {events, data};
  }
  void remove(int fd) {
    const int r = iolite_selector_remove(it_, fd);
    fuzz::require(r == (watched_.erase(fd) > 0 ? 0 : -ENOENT), "remove", std::to_string(r));
  }
  static void put(int fd) {
    if (fd >= 0) static_cast<void>(::send(fd, "x", 1, MSG_NOSIGNAL));
  }
  static void take(int fd) {
    char some[64];
    static_cast<void>(::recv(fd, some, sizeof some, 0));
  }
  static void fill(int fd) {
    const std::string much(65536, 'x');
    while (::send(fd, much.data(), much.size(), MSG_NOSIGNAL) > 0) {
    }
  }
  static void end(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  // Removed and closed; the numbers are used again at once.
  void replace(std::array<int, 2>& p) {
    if (watched_.contains(p[0])) remove(p[0]);
    close_both(p);
    make(p);
  }
  void wake() {
    fuzz::require(iolite_selector_wake(it_) == 0, "wake");
    woken_ = true;
  }

  static unsigned ready(int fd, unsigned events) {
    pollfd p{fd, static_cast<short>(((events & 1) ? POLLIN : 0) | ((events & 2) ? POLLOUT : 0)), 0};
    ::poll(&p, 1, 0);
    if ((p.revents & (POLLHUP | POLLERR)) != 0) return events;
    return ((p.revents & POLLIN) ? 1U : 0U) | ((p.revents & POLLOUT) ? 2U : 0U);
  }

  // Each that is ready once, with what it is ready for; as many as fit; none is left out for good.
  void wait(int max) {
    std::map<int, unsigned> expected;
    for (const auto& [fd, w] : watched_) {
      if (const unsigned r = ready(fd, w.events)) expected[fd] = r;
    }
    std::array<iolite_ready, pairs> out{};
    const int n = iolite_selector_wait(it_, out.data(), max, 0);
    fuzz::require(n >= 0, "a wait", std::to_string(n));
    const auto most = std::min<std::size_t>(expected.size(), static_cast<std::size_t>(max));
    const bool may_be_less = std::exchange(woken_, false);
    fuzz::require(
        static_cast<std::size_t>(n) == most || (may_be_less && n == 0),
        "as many as are ready:", std::to_string(n) + " of " + std::to_string(expected.size()));
    std::set<int> seen;
    for (int i = 0; i < n; ++i) {
      const iolite_ready& r = out[static_cast<std::size_t>(i)];
      fuzz::require(seen.insert(r.fd).second, "each at most once");
      fuzz::require(expected.contains(r.fd) && expected[r.fd] == r.events, "ready for what it is",
                    std::to_string(r.events));
      fuzz::require(watched_[r.fd].data == r.data, "its data");
    }
  }

  void* next_data() { return &data_[++made_ % data_.size()]; }

  iolite_selector* it_ = nullptr;
  std::array<std::array<int, 2>, pairs> fds_{};
  std::map<int, watch> watched_;
  std::array<char, 256> data_{};
  std::size_t made_ = 0;
  bool woken_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const char* const facility : facilities) {
    machine m(facility);
    fuzz::decisions choose({data, std::min<std::size_t>(size, 300)});
    while (!choose.empty()) m.step(choose);
    m.wait_for_all();
    m.wait_for_all();  // what a wake has cut short
  }
  return 0;
}
