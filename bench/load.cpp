// How many requests a second does a server answer, how long does each take, and how much processor
// time does the server spend? Independent of the library: nothing of it is measured.
//
// Closed loop: each connection keeps `depth` requests outstanding; a request's latency runs from
// when it was handed to the kernel to when the last byte of its answer was read. With --fan one
// more connection sends, and every other is to receive each of its messages: a request is then one
// delivery. Every byte is compared. On io_uring(7), because the generator should be quicker than
// what it measures; how busy it was itself is in its report.
#include "load_parts.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <liburing.h>
#include <sys/resource.h>
#include <unistd.h>

namespace {

struct options {
  std::string to;  // 127.0.0.1:PORT or unix:PATH
  unsigned connections = 64;
  unsigned idle = 0;  // more of them, that never send
  std::size_t size = 64;  // bytes of a request
  unsigned depth = 1;
  bool churn = false;  // a new connection for each request
  bool fan = false;  // one more connection sends, the others receive
  bool hold = false;  // one request on each, say so, and wait for the end of standard input
  double warm_up = 0.2;  // seconds
  double duration = 1.0;
  int server = 0;  // its process: how much processor time it uses; 0: do not ask
};

struct connection {
  unsigned number = 0;
  int fd = -1;
  bool sending = false;
  std::uint64_t sent = 0;  // bytes, since it was made
  std::uint64_t received = 0;
  std::deque<nanoseconds> begun;  // when, of each request outstanding
  nanoseconds answered = 0;  // when, last
  std::vector<char> buffer;
};

class load {
 public:
  explicit load(const options& o)
      : options_(o), to_(o.to), window_(o.size * o.depth), text_(std::max(window_, least_buffer)),
        connections_(o.connections + (o.fan ? 1 : 0)), waited_for_(o.connections) {
    const int r = io_uring_queue_init(
        4096, &ring_, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CLAMP);
    if (r < 0) give_up("io_uring_queue_init (needs Linux 6.1)", -r);
  }

  void run() {
    connect_all();
    now_ = read_clock(CLOCK_MONOTONIC);
    for (connection& c : connections_) {
      if (!options_.fan) request(c);
      if (!publishes(c) && !late_) receive(c);
    }
    if (options_.fan) publish();
    if (options_.hold) return hold();
    run_for(options_.warm_up);
    measuring_ = true;
    const nanoseconds busy = server_time();
    const nanoseconds busy_here = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    begin_ = now_;
    run_for(options_.duration);
    report(now_ - begin_, server_time() - busy, read_clock(CLOCK_PROCESS_CPUTIME_ID) - busy_here);
  }

 private:
  void run_for(double seconds) {
    const nanoseconds end = now_ + static_cast<nanoseconds>(seconds * 1e9);
    while (now_ < end) turn();
  }

  // Until each connection has had its one answer; then none of them does anything.
  void hold() {
    while (all_requests_ < options_.connections) turn();
    std::printf("holding %u\n", options_.connections);
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
  }

  void turn() {
    __kernel_timespec limit{.tv_sec = 10, .tv_nsec = 0};
    io_uring_cqe* cqe = nullptr;
    const int r = io_uring_submit_and_wait_timeout(&ring_, &cqe, 1, &limit, nullptr);
    if (r == -ETIME) give_up("no answer", "for ten seconds");
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

  // The idle ones stand between the others. The server accepts meanwhile: not too many at once, or
  // its queue overflows and the kernel tries again a second later.
  void connect_all() {
    const unsigned idle_each = options_.idle / options_.connections;
    for (unsigned i = 0; i < connections_.size(); ++i) {
      connection& c = connections_[i];
      c.number = i;
      c.buffer.resize(std::clamp<std::size_t>(window_, least_buffer, 65536));
      connect(c);
      for (unsigned n = 0; n < idle_each; ++n) breathe(), to_.connect();
      breathe();
    }
  }

  void breathe() {
    if (++connected_ % 64 != 0) return;
    const timespec half_a_millisecond{.tv_sec = 0, .tv_nsec = 500'000};
    nanosleep(&half_a_millisecond, nullptr);
  }

  void connect(connection& c) const {
    c.fd = to_.connect();
    c.sent = c.received = 0;
    c.sending = false;
  }

  bool publishes(const connection& c) const { return c.number == options_.connections; }

  io_uring_sqe* next() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    while (!sqe) {
      io_uring_submit(&ring_);
      sqe = io_uring_get_sqe(&ring_);
    }
    return sqe;
  }

  // The next message, to all.
  void publish() {
    connection& c = connections_.back();
    waited_for_ = options_.connections;
    published_ = now_;
    allowed_ = c.sent + options_.size;
    send_up_to(c, allowed_);
  }

  // Sends what the window allows: whole requests, as many as have been answered.
  void request(connection& c) {
    if (c.sending) return;
    const std::uint64_t allowed = (c.received / options_.size + options_.depth) * options_.size;
    if (allowed == c.sent) return;
    while (c.begun.size() < options_.depth) c.begun.push_back(now_);
    send_up_to(c, allowed);
  }

  void send_up_to(connection& c, std::uint64_t end) {
    c.sending = true;
    const auto left = static_cast<std::size_t>(end - c.sent);
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
    const bool all_out = c.sent % options_.size == 0;
    if (late_ && all_out) receive(c);
    else if (!options_.fan) request(c);
    else if (c.sent < allowed_) send_up_to(c, allowed_);
    else publish_when_all_have_it();
  }

  void received(connection& c, int result) {
    if (result == 0) give_up("receive", "the server has closed the connection");
    if (result < 0) give_up("receive", -result);
    const auto n = static_cast<std::size_t>(result);
    if (std::memcmp(c.buffer.data(), text_.at(speaker(c), c.received), n) != 0)
      give_up("receive", "these are not the bytes that were sent");
    const std::uint64_t before = c.received / options_.size;
    c.received += n;
    if (options_.fan) return delivered(c, c.received / options_.size > before);
    for (std::uint64_t done = c.received / options_.size - before; done > 0; --done) {
      if (c.begun.empty()) give_up("receive", "more bytes came than were sent");
      c.answered = now_;
      count(c.begun.front());
      c.begun.pop_front();
    }
    if (options_.churn && c.received >= options_.size) return over(c);
    if (options_.hold && c.received >= options_.size) return;
    request(c);
    if (!late_ || c.received % options_.size != 0) receive(c);
  }

  // Part of the message, or all that was left of it.
  void delivered(connection& c, bool whole) {
    if (c.received > allowed_) give_up("receive", "more bytes came than were sent");
    receive(c);
    if (!whole) return;
    count(published_);
    --waited_for_;
    publish_when_all_have_it();
  }

  void publish_when_all_have_it() {
    if (waited_for_ == 0 && !connections_.back().sending) publish();
  }

  void count(nanoseconds begun) {
    ++all_requests_;
    if (!measuring_) return;
    latencies_.add(now_ - begun);
    ++requests_;
  }

  // Whose text it is that `c` receives.
  unsigned speaker(const connection& c) const {
    return options_.fan ? options_.connections : c.number;
  }

  // Churn: the one request of this connection is answered; the next takes another.
  void over(connection& c) {
    close(c.fd);
    connect(c);
    request(c);
  }

  nanoseconds server_time() const {
    if (options_.server == 0) return 0;
    clockid_t clock = 0;
    if (const int error = clock_getcpuclockid(options_.server, &clock); error != 0)
      give_up("the server's clock", error);
    return read_clock(clock);
  }

  // How many connections had no answer in the measured time: they do not show in the latencies.
  unsigned unanswered() const {
    return static_cast<unsigned>(std::ranges::count_if(
        connections_, [this](const connection& c) { return c.answered < begin_; }));
  }

  void report(nanoseconds length, nanoseconds busy, nanoseconds busy_here) const {
    std::printf("{\"requests\": %llu, \"all_requests\": %llu, \"seconds\": %.6f, "
                "\"server_cpu_seconds\": %.6f, \"load_cpu_seconds\": %.6f",
                static_cast<unsigned long long>(requests_),
                static_cast<unsigned long long>(all_requests_), static_cast<double>(length) / 1e9,
                static_cast<double>(busy) / 1e9, static_cast<double>(busy_here) / 1e9);
    std::printf(", \"unanswered\": %u", options_.fan ? 0 : unanswered());
    constexpr std::array quantiles = {0.5, 0.9, 0.99, 0.999};
    constexpr std::array names = {"p50", "p90", "p99", "p99_9"};
    for (std::size_t i = 0; i < quantiles.size(); ++i)
      std::printf(", \"%s_us\": %.2f", names[i], latencies_.quantile_us(quantiles[i]));
    std::printf("}\n");
  }

  static constexpr std::size_t least_buffer = 4096;
  const options options_;
  const address to_;
  const std::size_t window_;  // bytes outstanding on a connection, at most
  const pattern text_;
  std::vector<connection> connections_;  // with --fan the last one publishes
  // One small request at a time: its answer is received once the request has gone out, not at the
  // same time. By then it has often come, and no poll is armed inside the kernel: 15 % more
  // requests a second from the same generator.
  const bool late_ = !options_.fan && options_.depth == 1 && options_.size <= least_buffer;
  unsigned connected_ = 0;
  unsigned waited_for_;  // how many have not received the message yet
  nanoseconds published_ = 0;  // when it was
  std::uint64_t allowed_ = 0;  // bytes the publisher may have sent
  io_uring ring_{};
  nanoseconds now_ = 0;  // read once a turn
  bool measuring_ = false;
  nanoseconds begin_ = 0;  // of what is measured
  std::uint64_t requests_ = 0;  // measured
  std::uint64_t all_requests_ = 0;  // and those of the warm-up
  histogram latencies_;
};

options parse(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--churn" || name == "--fan" || name == "--hold") {
      (name == "--churn" ? o.churn : name == "--fan" ? o.fan : o.hold) = true;
      continue;
    }
    if (i + 1 == argc) give_up(argv[i], "has no value");
    const char* const value = argv[++i];
    if (name == "--to") o.to = value;
    else if (name == "--connections") o.connections = static_cast<unsigned>(std::atoi(value));
    else if (name == "--idle") o.idle = static_cast<unsigned>(std::atoi(value));
    else if (name == "--size") o.size = static_cast<std::size_t>(std::atol(value));
    else if (name == "--depth") o.depth = static_cast<unsigned>(std::atoi(value));
    else if (name == "--warm-up") o.warm_up = std::atof(value);
    else if (name == "--duration") o.duration = std::atof(value);
    else if (name == "--server") o.server = std::atoi(value);
    else
      give_up(argv[i - 1], "no such option; there are --to --connections --idle --size --depth "
                           "--churn --fan --hold --warm-up --duration --server");
  }
  if (o.to.empty() || o.connections == 0 || o.size == 0 || o.depth == 0)
    give_up("options", "--to is needed, the others are above 0");
  if (o.churn && o.depth > 1) give_up("options", "--churn has a depth of 1");
  if (o.fan && (o.churn || o.hold || o.depth > 1)) give_up("options", "--fan goes with none");
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
