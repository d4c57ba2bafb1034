// How many requests a second does an echo server answer, how long does each take, and how much
// processor time does the server spend? Independent of the library: nothing of it is measured.
//
// Closed loop: each connection keeps `depth` requests outstanding; a request's latency runs from
// when it was handed to the kernel to when the last byte of its answer was read. Every byte is
// compared. On io_uring(7), because the generator should be quicker than what it measures.
#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using nanoseconds = std::int64_t;

[[noreturn]] void give_up(const std::string& what, const std::string& why) {
  throw std::runtime_error(what + ": " + why);
}
[[noreturn]] void give_up(const std::string& what, int error) {
  give_up(what, std::generic_category().message(error));
}

int must(int result, const char* what) {
  if (result < 0) give_up(what, errno);
  return result;
}

nanoseconds read_clock(clockid_t which) {
  timespec t{};
  if (clock_gettime(which, &t) != 0) give_up("clock_gettime", errno);
  return nanoseconds{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

struct options {
  int port = 0;
  unsigned connections = 64;
  std::size_t size = 64;  // bytes of a request
  unsigned depth = 1;
  bool churn = false;  // a new connection for each request
  double warm_up = 0.2;  // seconds
  double duration = 1.0;
  int server = 0;  // its process: how much processor time it uses; 0: do not ask
};

// What is sent: at offset n of connection c stands byte (n + 97 c) mod 4093 of a fixed text. A
// prime, so that a byte lost, doubled or swapped between connections shows.
class pattern {
 public:
  explicit pattern(std::size_t longest) : bytes_(period + longest) {
    std::uint32_t x = 2463534242;
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      x ^= x << 13, x ^= x >> 17, x ^= x << 5;
      bytes_[i] = i < period ? static_cast<char>(x) : bytes_[i - period];
    }
  }
  const char* at(unsigned connection, std::uint64_t offset) const {
    return bytes_.data() + (offset + std::uint64_t{97} * connection) % period;
  }

 private:
  static constexpr std::size_t period = 4093;
  std::vector<char> bytes_;
};

// Latencies to 1.6 %: 64 steps for each power of two of nanoseconds.
class histogram {
 public:
  void add(nanoseconds t) {
    ++counts_[index(static_cast<std::uint64_t>(std::max<nanoseconds>(t, 0)))];
    ++total_;
  }
  double quantile_us(double q) const {
    const auto wanted = static_cast<std::uint64_t>(q * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return middle(i) / 1000;
    }
    return 0;
  }

 private:
  static std::size_t index(std::uint64_t t) {
    if (t < 128) return t;
    const auto shift = static_cast<unsigned>(std::bit_width(t)) - 7;
    return std::min<std::size_t>(std::size_t{64} * shift + (t >> shift), 64 * 64 - 1);
  }
  static double middle(std::size_t i) {
    if (i < 128) return static_cast<double>(i);
    const std::size_t shift = i / 64 - 1;
    return (static_cast<double>(i - 64 * shift) + 0.5) *
           static_cast<double>(std::uint64_t{1} << shift);
  }
  std::array<std::uint64_t, std::size_t{64} * 64> counts_{};
  std::uint64_t total_ = 0;
};

struct connection {
  unsigned number = 0;
  int fd = -1;
  bool sending = false;
  std::uint64_t sent = 0;  // bytes, since it was made
  std::uint64_t received = 0;
  std::deque<nanoseconds> begun;  // when, of each request outstanding
  std::vector<char> buffer;
};

class load {
 public:
  explicit load(const options& o)
      : options_(o), window_(o.size * o.depth), text_(window_), connections_(o.connections) {
    const int r = io_uring_queue_init(
        4096, &ring_, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CLAMP);
    if (r < 0) give_up("io_uring_queue_init (needs Linux 6.1)", -r);
  }

  void run() {
    for (unsigned i = 0; i < options_.connections; ++i) {
      connections_[i].number = i;
      connections_[i].buffer.resize(std::clamp<std::size_t>(window_, 4096, 65536));
      connect(connections_[i]);
    }
    now_ = read_clock(CLOCK_MONOTONIC);
    for (connection& c : connections_) request(c), receive(c);
    run_for(options_.warm_up);
    measuring_ = true;
    const nanoseconds busy = server_time();
    const nanoseconds begin = now_;
    run_for(options_.duration);
    report(now_ - begin, server_time() - busy);
  }

 private:
  void run_for(double seconds) {
    const nanoseconds end = now_ + static_cast<nanoseconds>(seconds * 1e9);
    while (now_ < end) turn();
  }

  void turn() {
    __kernel_timespec second{.tv_sec = 5, .tv_nsec = 0};
    io_uring_cqe* cqe = nullptr;
    const int r = io_uring_submit_and_wait_timeout(&ring_, &cqe, 1, &second, nullptr);
    if (r == -ETIME) give_up("no answer", "for five seconds");
    now_ = read_clock(CLOCK_MONOTONIC);
    unsigned head = 0;
    unsigned count = 0;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      ++count;
      auto& c = connections_[cqe->user_data >> 1];
      if ((cqe->user_data & 1) != 0) sent(c, cqe->res);
      else received(c, cqe->res);
    }
    io_uring_cq_advance(&ring_, count);
  }

  void connect(connection& c) const {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(options_.port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c.fd = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    const int yes = 1;
    must(setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes), "TCP_NODELAY");
    // Closing resets: 50,000 connections a second would leave no port that is not in TIME_WAIT.
    const linger reset{.l_onoff = 1, .l_linger = 0};
    must(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), "SO_LINGER");
    must(::connect(c.fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), "connect");
    c.sent = c.received = 0;
    c.sending = false;
  }

  io_uring_sqe* next() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    while (!sqe) {
      io_uring_submit(&ring_);
      sqe = io_uring_get_sqe(&ring_);
    }
    return sqe;
  }

  // Sends what the window allows: whole requests, as many as have been answered.
  void request(connection& c) {
    if (c.sending) return;
    const std::uint64_t allowed = (c.received / options_.size + options_.depth) * options_.size;
    const auto left = static_cast<std::size_t>(allowed - c.sent);
    if (left == 0) return;
    while (c.begun.size() < options_.depth) c.begun.push_back(now_);
    c.sending = true;
    io_uring_sqe* sqe = next();
    io_uring_prep_send(sqe, c.fd, text_.at(c.number, c.sent), left, MSG_NOSIGNAL);
    sqe->user_data = std::uint64_t{c.number} << 1 | 1;
  }

  void receive(connection& c) {
    io_uring_sqe* sqe = next();
    io_uring_prep_recv(sqe, c.fd, c.buffer.data(), c.buffer.size(), 0);
    sqe->user_data = std::uint64_t{c.number} << 1;
  }

  void sent(connection& c, int result) {
    if (result <= 0) give_up("send", -result);
    c.sending = false;
    c.sent += static_cast<std::uint64_t>(result);
    if (options_.churn) over(c);
    else request(c);
  }

  void received(connection& c, int result) {
    if (result == 0) give_up("receive", "the server has closed the connection");
    if (result < 0) give_up("receive", -result);
    const auto n = static_cast<std::size_t>(result);
    if (std::memcmp(c.buffer.data(), text_.at(c.number, c.received), n) != 0)
      give_up("receive", "these are not the bytes that were sent");
    const std::uint64_t before = c.received / options_.size;
    c.received += n;
    for (std::uint64_t done = c.received / options_.size - before; done > 0; --done) {
      ++all_requests_;
      if (measuring_) latencies_.add(now_ - c.begun.front()), ++requests_;
      c.begun.pop_front();
    }
    if (options_.churn && c.received >= options_.size) return over(c);
    request(c);
    receive(c);
  }

  // Churn: the one request of this connection is answered; the next takes another. The send's
  // completion may come after the receive's: both are waited for.
  void over(connection& c) {
    if (c.sending || c.received < options_.size) return;
    close(c.fd);
    connect(c);
    request(c);
    receive(c);
  }

  nanoseconds server_time() const {
    if (options_.server == 0) return 0;
    clockid_t clock = 0;
    if (const int error = clock_getcpuclockid(options_.server, &clock); error != 0)
      give_up("the server's clock", error);
    return read_clock(clock);
  }

  void report(nanoseconds length, nanoseconds busy) const {
    std::printf("{\"requests\": %llu, \"all_requests\": %llu, \"seconds\": %.6f, "
                "\"server_cpu_seconds\": %.6f",
                static_cast<unsigned long long>(requests_),
                static_cast<unsigned long long>(all_requests_), static_cast<double>(length) / 1e9,
                static_cast<double>(busy) / 1e9);
    constexpr std::array quantiles = {0.5, 0.9, 0.99, 0.999};
    constexpr std::array names = {"p50", "p90", "p99", "p99_9"};
    for (std::size_t i = 0; i < quantiles.size(); ++i)
      std::printf(", \"%s_us\": %.2f", names[i], latencies_.quantile_us(quantiles[i]));
    std::printf("}\n");
  }

  const options options_;
  const std::size_t window_;  // bytes outstanding on a connection, at most
  const pattern text_;
  std::vector<connection> connections_;
  io_uring ring_{};
  nanoseconds now_ = 0;  // read once a turn
  bool measuring_ = false;
  std::uint64_t requests_ = 0;  // measured
  std::uint64_t all_requests_ = 0;  // and those of the warm-up
  histogram latencies_;
};

options parse(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--churn") {
      o.churn = true;
      continue;
    }
    if (i + 1 == argc) give_up(argv[i], "has no value");
    const char* const value = argv[++i];
    if (name == "--port") o.port = std::atoi(value);
    else if (name == "--connections") o.connections = static_cast<unsigned>(std::atoi(value));
    else if (name == "--size") o.size = static_cast<std::size_t>(std::atol(value));
    else if (name == "--depth") o.depth = static_cast<unsigned>(std::atoi(value));
    else if (name == "--warm-up") o.warm_up = std::atof(value);
    else if (name == "--duration") o.duration = std::atof(value);
    else if (name == "--server") o.server = std::atoi(value);
    else
      give_up(argv[i - 1], "no such option; there are --port --connections --size --depth "
                           "--churn --warm-up --duration --server");
  }
  if (o.port <= 0 || o.connections == 0 || o.size == 0 || o.depth == 0)
    give_up("options", "--port is needed, the others are above 0");
  return o;
}

}  // namespace

int main(int argc, char** argv) try {
  const options o = parse(argc, argv);
  rlimit files{};
  must(getrlimit(RLIMIT_NOFILE, &files), "getrlimit");
  files.rlim_cur = files.rlim_max;
  must(setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
  load(o).run();
} catch (const std::exception& e) {
  std::fprintf(stderr, "load: %s\n", e.what());
  return 1;
}
