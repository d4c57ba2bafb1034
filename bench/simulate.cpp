// How fast does a simulated world run? Three hosts with an echo server each, 20 clients, 100
// virtual seconds, 5,000 requests: virtual time against real time on one core, and worlds a minute.
//
//   simulate [--model M] [--threads N] [--worlds N] [--rounds N] [--faults] [--requests N]
//
// A round runs `worlds` of them on each thread. What is printed is the median of the rounds, and in
// parentheses the least and the most.
#include <iolite/iolite.hpp>
#include <iolite/simulate.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

struct settings {
  std::string model = "epoll";
  unsigned threads = 1;
  unsigned worlds = 10;
  unsigned rounds = 5;
  unsigned requests = 5'000;
  bool faults = false;
};

constexpr unsigned hosts = 3;
constexpr unsigned clients = 20;
constexpr auto length = 100s;
constexpr std::size_t request_bytes = 64;

iolite::task<> echo(iolite::stream peer) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto n = co_await peer.recv(buffer);
    if (!n || *n == 0) co_return;
    if (!co_await peer.send_all(std::span<const std::byte>(buffer).first(*n))) co_return;
  }
}

// So many requests, spread over the time.
iolite::task<> ask(iolite::endpoint server, unsigned requests, unsigned number) {
  auto to = co_await iolite::stream::connect(server);
  iolite::simulate::check(to.has_value(), "connected");
  const iolite::context c = co_await iolite::here{};
  const auto begin = c.on->now();
  std::array<std::byte, request_bytes> out, in;
  for (unsigned i = 0; i < requests; ++i) {
    const auto due = begin + length * (i * clients + number) / (requests * clients);
    co_await iolite::sleep(std::max<iolite::clock::duration>(due - c.on->now(), 0s));
    out.fill(static_cast<std::byte>(i));
    iolite::simulate::check((co_await to->send_all(out)).has_value(), "sent");
    const auto got = co_await to->recv_all(in);
    iolite::simulate::check(got && in == out, "the same bytes come back");
  }
}

// The system calls of one world.
std::uint64_t run_world(const settings& s, std::uint64_t seed) {
  iolite::simulate::options o;
  if (s.faults) o.faults = iolite::simulate::faults::some();
  o.faults_for = length;
  iolite::simulate::world w(seed, o);
  std::vector<iolite::simulate::host> at;
  for (unsigned i = 0; i < hosts; ++i) at.push_back(w.add_host("host-" + std::to_string(i)));
  for (const auto& h : at) w.serve(h, echo, {.model = s.model, .listen = {h.at(7000)}});
  for (unsigned i = 0; i < clients; ++i) {
    const auto server = *iolite::endpoint::parse(at[i % hosts].at(7000));
    w.run(at[(i + 1) % hosts], s.model, [=] { return ask(server, s.requests / clients, i); });
  }
  const auto report = w.finish();
  if (!report.ok()) {
    std::puts(report.to_string().c_str());
    std::exit(1);
  }
  return report.calls;
}

double seconds_of(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

struct measured {
  double times_real;  // virtual seconds for each second of a core
  double a_minute;  // worlds, on all threads
  double calls;  // for each world
};

measured run_round(const settings& s, std::uint64_t first_seed) {
  std::vector<std::uint64_t> calls(s.threads);
  const double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID), begin = seconds_of(CLOCK_MONOTONIC);
  const auto work = [&](unsigned thread) {
    for (unsigned i = 0; i < s.worlds; ++i) {
      calls[thread] += run_world(s, first_seed + std::uint64_t{thread} * s.worlds + i);
    }
  };
  std::vector<std::thread> others;
  for (unsigned t = 1; t < s.threads; ++t) others.emplace_back(work, t);
  work(0);
  for (std::thread& t : others) t.join();
  const double used = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  const double all = s.worlds * s.threads;
  std::uint64_t made = 0;
  for (const std::uint64_t n : calls) made += n;
  return {all * std::chrono::duration<double>(length).count() / used,
          all / (seconds_of(CLOCK_MONOTONIC) - begin) * 60, static_cast<double>(made) / all};
}

void print(const char* what, std::vector<measured> rounds, double measured::* of) {
  std::ranges::sort(rounds, {}, of);
  std::printf("%-32s %10.0f (%.0f..%.0f)\n", what, rounds[rounds.size() / 2].*of,
              rounds.front().*of, rounds.back().*of);
}

settings read_arguments(int argc, char** argv) {
  settings s;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--faults") {
      s.faults = true;
      continue;
    }
    const char* const value = i + 1 < argc ? argv[++i] : "";
    const auto number = static_cast<unsigned>(std::strtoul(value, nullptr, 10));
    if (name == "--model") s.model = value;
    else if (name == "--threads" && number > 0) s.threads = number;
    else if (name == "--worlds" && number > 0) s.worlds = number;
    else if (name == "--rounds" && number > 0) s.rounds = number;
    else if (name == "--requests" && number >= clients) s.requests = number;
    else std::exit(2);
  }
  return s;
}

}  // namespace

int main(int argc, char** argv) {
  const settings s = read_arguments(argc, argv);
  run_world(s, 1);
  std::vector<measured> rounds;
  for (unsigned i = 0; i < s.rounds; ++i) rounds.push_back(run_round(s, 1 + i * 1000));
  std::printf("%s%s, %u thread(s)\n", s.model.c_str(), s.faults ? " with faults" : "", s.threads);
  print("virtual s for 1 s of a core", rounds, &measured::times_real);
  print("worlds a minute", rounds, &measured::a_minute);
  print("system calls of a world", rounds, &measured::calls);
}
