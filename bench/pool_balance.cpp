// How evenly do the loops of a pool share their connections? The busiest loop's share, as a
// multiple of the average: what the kernel's hash (SO_REUSEPORT) gives by itself, and what serve()
// makes of it. pool_balance [MODEL [ROUNDS]]; each round another port, so another hash.
#include <iolite/iolite.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

class descriptor {
 public:
  explicit descriptor(int fd) : fd_(fd) {
    if (fd < 0) std::perror("pool_balance"), std::exit(1);
  }
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&&) = delete;
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

descriptor connect_to(std::uint16_t port) {
  descriptor s(::socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr_in at = loopback(port);
  if (::connect(s.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) < 0) {
    std::perror("connect"), std::exit(1);
  }
  return s;
}

double busiest(const std::vector<int>& shares, int connections) {
  const auto average = static_cast<double>(connections) / static_cast<double>(shares.size());
  return static_cast<double>(std::ranges::max(shares)) / average;
}

// A queue for each loop, and nobody who accepts before all have connected.
double by_hash(int loops, int connections) {
  std::vector<descriptor> listeners;
  std::uint16_t port = 0;
  for (int i = 0; i < loops; ++i) {
    listeners.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    const int l = listeners.back().get();
    const int on = 1;
    ::setsockopt(l, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    sockaddr_in at = loopback(port);
    socklen_t size = sizeof at;
    if (::bind(l, reinterpret_cast<sockaddr*>(&at), size) < 0 || ::listen(l, 4096) < 0) {
      std::perror("listen"), std::exit(1);
    }
    ::getsockname(l, reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
  }
  std::vector<descriptor> clients;
  for (int i = 0; i < connections; ++i) clients.push_back(connect_to(port));
  std::vector<int> shares;
  for (const descriptor& l : listeners) {
    int n = 0;
    for (int fd = 0; (fd = ::accept(l.get(), nullptr, nullptr)) >= 0; ++n) ::close(fd);
    shares.push_back(n);
  }
  return busiest(shares, connections);
}

// Which loop a handler runs on, and how many connections each has had.
class loops_seen {
 public:
  explicit loops_seen(int loops) : shares_(static_cast<std::size_t>(loops)) {}
  void count() {
    thread_local const void* of = nullptr;
    thread_local std::size_t mine = 0;
    if (of != this) of = this, mine = next_++;
    ++shares_[mine];
  }
  [[nodiscard]] std::vector<int> shares() const { return {shares_.begin(), shares_.end()}; }

 private:
  std::atomic<std::size_t> next_ = 0;
  std::vector<std::atomic<int>> shares_;
};

iolite::task<> told(iolite::stream peer, loops_seen& seen) {
  seen.count();
  std::byte one{};
  static_cast<void>(co_await peer.send_all({&one, 1}));
  static_cast<void>(co_await peer.recv({&one, 1}));  // until the client goes
}

double by_serve(const std::string& model, int loops, int connections) {
  loops_seen seen(loops);
  iolite::serve_stop stop;
  std::mutex lock;
  std::condition_variable listens;
  std::uint16_t port = 0;
  iolite::serve_options options;
  options.model = model;
  options.workers = static_cast<unsigned>(loops);
  options.signals = false;
  options.stop = &stop;
  options.on_listening = [&](const auto&, const auto& at) {
    const std::lock_guard hold(lock);
    port = at.front().port();
    listens.notify_one();
  };
  std::thread server([&] {
    const auto r =
        iolite::serve([&](iolite::stream s) { return told(std::move(s), seen); }, options);
    if (!r) std::fprintf(stderr, "%s\n", r.error().message.c_str()), std::exit(1);
  });
  {
    std::unique_lock hold(lock);
    listens.wait(hold, [&] { return port != 0; });
  }
  {
    std::vector<descriptor> clients;
    for (int i = 0; i < connections; ++i) clients.push_back(connect_to(port));
    char one = 0;
    for (const descriptor& c : clients) {
      if (::recv(c.get(), &one, 1, MSG_WAITALL) != 1) std::perror("recv"), std::exit(1);
    }
  }
  stop.request();
  server.join();
  return busiest(seen.shares(), connections);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string model = argc > 1 ? argv[1] : "epoll/pool";
  const int rounds = argc > 2 ? std::max(std::atoi(argv[2]), 1) : 9;
  std::printf("busiest loop's share, of the average: median (min..max) of %d rounds\n"
              "loops  connections  kernel's hash         %s\n",
              rounds, model.c_str());
  for (const int loops : {2, 4, 16}) {
    for (const int connections : {64, 256, 1000}) {
      std::vector<double> hash, ours;
      for (int r = 0; r < rounds; ++r) {
        hash.push_back(by_hash(loops, connections));
        ours.push_back(by_serve(model, loops, connections));
      }
      std::ranges::sort(hash), std::ranges::sort(ours);
      const auto middle = static_cast<std::size_t>(rounds / 2);
      std::printf("%5d  %11d  %.2f (%.2f..%.2f)     %.2f (%.2f..%.2f)\n", loops, connections,
                  hash[middle], hash.front(), hash.back(), ours[middle], ours.front(), ours.back());
      std::fflush(stdout);
    }
  }
}
