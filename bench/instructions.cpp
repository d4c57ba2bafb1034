// How many instructions does this process execute for one request? Unlike time they do not depend
// on what else the machine does: the same program gives the same count.
//
//   instructions                     all models and workloads, against what is allowed
//   instructions MODEL...            these models: epoll, poll, io_uring, ...
//
// The workload runs in a child whose instructions the parent executes one at a time, ptrace(2),
// PTRACE_SINGLESTEP: that works for io_uring too, which valgrind does not know. Everything happens
// on one thread, and a round is 16 requests that are all there before the loop looks: so batches
// are always the same. Time goes on by a microsecond whenever it is asked for. What the client's
// side of the sockets costs is measured by itself and taken off.
#include <iolite/iolite.hpp>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dlfcn.h>
#include <string>
#include <string_view>
#include <vector>

#include <netinet/in.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// Interposed: it costs what the real one costs, but its time is a count.
extern "C" int clock_gettime(clockid_t id, timespec* out) noexcept {
  using function = int (*)(clockid_t, timespec*);
  static const auto real = reinterpret_cast<function>(dlsym(RTLD_NEXT, "clock_gettime"));
  static long microseconds = 0;
  const int r = real(id, out);
  ++microseconds;
  *out = {1000 + microseconds / 1'000'000, microseconds % 1'000'000 * 1000};
  return r;
}

namespace {

constexpr int requests = 16;  // of a round
constexpr int warm_rounds = 40;  // io_uring observes its connections first
constexpr int counted_rounds = 4;  // a hundred thousand steps
constexpr std::size_t bytes = 64;

// What is allowed: 7 percent above what GCC 12 gave with the flags of the release preset.
struct limit {
  std::string_view model, workload;
  double instructions;
};
constexpr std::array limits = {limit{"epoll", "echo", 1990}, limit{"poll", "echo", 1940},
                               limit{"io_uring", "echo", 2190}, limit{"epoll", "churn", 4070}};

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::_Exit(1);
}

int checked(long r, const char* what) {
  if (r < 0) give_up(what);
  return static_cast<int>(r);
}

void send_request(int fd) {
  static const std::array<char, bytes> text{};
  if (::send(fd, text.data(), text.size(), 0) != static_cast<long>(bytes)) give_up("send");
}

void receive_answer(int fd) {
  std::array<char, bytes> text;
  if (::recv(fd, text.data(), text.size(), MSG_WAITALL) != static_cast<long>(bytes))
    give_up("recv");
}

// To 127.0.0.1:PORT.
int connect_to(std::uint16_t port) {
  const int fd = checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  checked(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), "connect");
  return fd;
}

// The client: it acts when the last answer of a round has been sent.
class client {
 public:
  explicit client(std::uint16_t port, bool churn) : port_(port), churn_(churn) {
    for (int& fd : fds_) fd = churn ? -1 : connect_to(port);
  }
  void begin_round() {
    left_ = requests;
    for (int& fd : fds_) {
      if (churn_) fd = connect_to(port_);
      send_request(fd);
    }
  }
  // True: all rounds are over.
  bool answered() {
    if (--left_ > 0) return false;
    for (const int fd : fds_) {
      receive_answer(fd);
      if (churn_) ::close(fd);
    }
    ++round_;
    if (round_ == warm_rounds || round_ == warm_rounds + counted_rounds) ::raise(SIGSTOP);
    if (round_ == warm_rounds + counted_rounds) return true;
    begin_round();
    return false;
  }
  void close() {
    for (const int fd : fds_) ::close(fd);
  }

 private:
  std::uint16_t port_;
  bool churn_;
  std::array<int, requests> fds_{};
  int left_ = 0;
  int round_ = 0;
};

iolite::task<> echo(iolite::stream peer, client& c, iolite::scope& all) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto n = co_await peer.recv(buffer);
    if (!n || *n == 0) co_return;
    if (!co_await peer.send_all(std::span(buffer).first(*n))) co_return;
    if (c.answered()) all.cancel();
  }
}

iolite::task<> echo_once(iolite::stream peer, client& c, iolite::scope& all) {
  std::array<std::byte, 4096> buffer;
  const auto n = co_await peer.recv(buffer);
  if (!n || !co_await peer.send_all(std::span(buffer).first(*n))) co_return;
  peer.close();
  if (c.answered()) all.cancel();
}

iolite::task<> serve(iolite::engine& on, bool churn) {
  auto listening = iolite::listener::open(on, *iolite::endpoint::parse("127.0.0.1:0"), {});
  if (!listening) give_up("listen");
  client c(listening->local().port(), churn);
  co_await iolite::in_scope([&](iolite::scope& all) -> iolite::task<> {
    c.begin_round();
    for (int n = 0; churn || n < requests; ++n) {
      auto peer = co_await listening->accept();
      if (!peer) co_return;
      all.spawn(churn ? echo_once(std::move(*peer), c, all) : echo(std::move(*peer), c, all));
    }
  });
  if (!churn) c.close();
}

// The client's side alone, with the other ends of its sockets in the place of a server.
void client_alone(bool churn) {
  std::array<int, 2> pair{};
  checked(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), "socketpair");
  const int listening = checked(::socket(AF_INET, SOCK_STREAM, 0), "socket");
  checked(::listen(listening, 64), "listen");
  sockaddr_in at{};
  socklen_t n = sizeof at;
  checked(::getsockname(listening, reinterpret_cast<sockaddr*>(&at), &n), "getsockname");
  for (int round = 0; round < warm_rounds + counted_rounds; ++round) {
    if (round == warm_rounds) ::raise(SIGSTOP);
    for (int i = 0; i < requests; ++i) {
      if (churn) ::close(connect_to(ntohs(at.sin_port)));
      send_request(pair[0]);
      receive_answer(pair[1]);
    }
    if (churn) {
      for (int i = 0; i < requests; ++i) ::close(::accept(listening, nullptr, nullptr));
    }
  }
  ::raise(SIGSTOP);
}

[[noreturn]] void run_child(const std::string& model, bool churn) {
  checked(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr), "ptrace");
  if (model.empty()) {
    client_alone(churn);
    std::_Exit(0);
  }
  auto on = iolite::make_engine(model);
  if (!on) {
    std::fprintf(stderr, "instructions: %s\n", on.error().message.c_str());
    std::_Exit(77);
  }
  (*on)->run(serve(**on, churn));
  std::_Exit(0);
}

// Runs it until it stops itself, or ends: false.
bool run_to_stop(pid_t child) {
  for (;;) {
    int status = 0;
    if (::waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status)) return false;
    if (WSTOPSIG(status) == SIGSTOP) return true;
    checked(::ptrace(PTRACE_CONT, child, nullptr, WSTOPSIG(status)), "ptrace");
  }
}

// How many instructions it executes until it stops itself again.
long count_to_stop(pid_t child) {
  for (long n = 0, signal = 0;; ++n) {
    checked(::ptrace(PTRACE_SINGLESTEP, child, nullptr, signal), "ptrace");
    int status = 0;
    if (::waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status))
      give_up("the workload ended early");
    signal = WSTOPSIG(status);
    if (signal == SIGSTOP) return n;
    if (signal == SIGTRAP) signal = 0;
  }
}

// For one request; < 0: the model is not available.
double count(const std::string& model, bool churn) {
  const pid_t child = checked(::fork(), "fork");
  if (child == 0) run_child(model, churn);
  if (!run_to_stop(child)) return -1;
  const long n = count_to_stop(child);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return static_cast<double>(n) / (requests * counted_rounds);
}

double allowed(std::string_view model, std::string_view workload) {
  for (const limit& l : limits) {
    if (l.model == model && l.workload == workload) return l.instructions;
  }
  return 0;
}

// False: more than what is allowed.
bool report(const std::string& model, bool churn) {
  const char* const workload = churn ? "churn" : "echo";
  const double n = count(model, churn);
  if (n < 0) return std::printf("%-12s %-6s not available here\n", model.c_str(), workload), true;
  const double own = n - count({}, churn);
  const double most = allowed(model, workload);
  const bool too_many = most > 0 && own > most;
  std::printf("%-12s %-6s %6.0f", model.c_str(), workload, own);
  if (most > 0) std::printf("  at most %.0f%s", most, too_many ? ": TOO MANY" : "");
  std::printf("\n");
  return !too_many;
}

// On one processor the two take turns without waking each other up across.
void stay_here() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(checked(::sched_getcpu(), "sched_getcpu")), &one);
  checked(::sched_setaffinity(0, sizeof one, &one), "sched_setaffinity");
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  stay_here();
  std::vector<std::string> models(argv + 1, argv + argc);
  bool good = true;
  if (models.empty()) {
    for (const limit& l : limits)
      good = report(std::string(l.model), l.workload == "churn") && good;
  }
  for (const std::string& m : models) good = report(m, false) && report(m, true) && good;
  return good ? 0 : 1;
}
