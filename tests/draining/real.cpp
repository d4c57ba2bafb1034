// The same on the real kernel: see simulated.cpp. What is sent over loopback has arrived.
//
// DRAIN_REAL_STOPS: how many stops for each model.
#include "service.hpp"

#include "support/model_names.hpp"
#include "support/served.hpp"
#include "support/sockets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace iolite_test {
namespace {

using namespace iolite;
using steady = std::chrono::steady_clock;

class real_run {
 public:
  real_run(std::uint64_t seed, std::string model) : plan_(seed), model_(std::move(model)) {}

  void play();
  [[nodiscard]] std::string describe() const {
    return model_ + ", seed " + std::to_string(plan_.seed) + ", " + std::string(name_of(plan_.by)) +
           (plan_.unix_path ? ", unix" : ", tcp") + (plan_.successor ? ", a successor" : "");
  }
  std::atomic<unsigned> answered = 0, ended = 0;

 private:
  void fault(const std::string& what) {
    const std::lock_guard hold(lock_);
    ADD_FAILURE() << describe() << ": " << what;
  }
  serve_options options(const std::string& at) const {
    serve_options o;
    o.model = model_;
    o.listen = {at};
    o.workers = 3;
    o.drain_timeout = 20s;  // a small window moves as slowly as its acknowledgements
    return o;
  }
  void client(unsigned number);
  bool ask(const raw_socket& s, const std::vector<job>& all);
  void stop(const served& server);
  void ask_successor(const std::string& at);

  plan plan_;
  const std::string model_;
  temporary_folder folder_;
  std::mutex lock_;
  std::optional<endpoint> at_;
  std::atomic<bool> over_ = false;
  // The stop: what was sent before has arrived before.
  std::atomic<steady::rep> stopped_at_ = steady::time_point::max().time_since_epoch().count();
};

// False: the connection is over.
bool real_run::ask(const raw_socket& s, const std::vector<job>& all) {
  std::string whole;
  for (const job& j : all) whole.append(reinterpret_cast<const char*>(&j), sizeof j);
  if (!s.send_all(whole)) return false;
  const auto sent_at = steady::now().time_since_epoch().count();
  for (const job& j : all) {
    std::string got;
    int error = 0;
    try {
      while (got.size() < j.bytes) {
        const std::string some = s.recv_some(std::min<std::size_t>(j.bytes - got.size(), 8192));
        if (some.empty()) break;
        got += some;
        if (got.size() < j.bytes) static_cast<void>(s.send_all(std::string(sizeof(job), '\0')));
      }
    } catch (const std::system_error& e) {
      error = e.code().value();
    }
    if (got.size() == j.bytes) {
      if (got != pattern(j.bytes, j.work_us)) fault("another answer than was asked for");
      ++answered;
      continue;
    }
    ++ended;
    if (plan_.is_hard()) return false;
    if (!got.empty()) {
      fault("an answer was cut after " + std::to_string(got.size()) + " of " +
            std::to_string(j.bytes) + " bytes, errno " + std::to_string(error));
    }
    if (error != 0 && sent_at < stopped_at_) {
      fault("a request that had arrived: errno " + std::to_string(error));
    }
    return false;
  }
  return true;
}

void real_run::client(unsigned number) {
  std::mt19937_64 chance(plan_.seed * 1000 + number);
  const auto below = [&](std::uint64_t n) { return static_cast<std::uint32_t>(chance() % n); };
  while (!over_) {
    raw_socket s;
    if (raw_socket::try_connect(*at_, s) != 0) {
      std::this_thread::yield();
      continue;
    }
    if (plan_.small_buffers) s.set_buffers(16'384, 16'384);
    for (unsigned left = 1 + below(5); left > 0 && !over_; --left) {
      std::vector<job> all(1 + below(4));
      for (job& j : all) {
        if (below(3) == 0) j.work_us = below(20'000);
        j.bytes = 1 + (below(4) == 0 ? below(100'000) : 10);
      }
      if (!ask(s, all)) break;
    }
  }
}

void real_run::stop(const served& server) {
  const int number =
      plan_.by == stop_by::interrupt || plan_.by == stop_by::interrupt_to_group ? SIGINT : SIGTERM;
  stopped_at_ = steady::now().time_since_epoch().count();
  switch (plan_.by) {
  case stop_by::term:
  case stop_by::interrupt: return server.signal(number);
  case stop_by::term_to_group:
  case stop_by::interrupt_to_group: return server.signal_all(number);
  case stop_by::twice: server.signal(number); return server.signal(number);
  }
}

// The address is its own from now on: it may have to wait until it is free.
void real_run::ask_successor(const std::string& at) {
  // The clients' threads are not in it, so that what they had looks leaked there.
  const auto before = [] { std::atexit([] { ::_exit(0); }); };
  std::unique_ptr<served> next;
  const auto give_up = steady::now() + 30s;
  do next = std::make_unique<served>(serve_jobs, options(at), before);
  while (!next->listening() && steady::now() < give_up);
  if (!next->listening()) return fault("the successor cannot listen: " + next->error());
  raw_socket s;
  if (const int e = raw_socket::try_connect(*at_, s); e != 0) {
    return fault("the successor cannot be reached, errno " + std::to_string(e));
  }
  const job j{0, 100};
  s.send_all({reinterpret_cast<const char*>(&j), sizeof j});
  if (s.recv_exactly(100) != pattern(100)) fault("the successor answers something else");
  s.close();
  next->stop(SIGTERM);
}

void real_run::play() {
  served server(serve_jobs, options(plan_.unix_path ? "unix:" + (folder_ / "s") : "127.0.0.1:0"));
  if (!server.listening()) return fault(server.error());
  at_ = server.at();
  std::vector<std::thread> clients;
  for (unsigned i = 0; i < plan_.clients; ++i) clients.emplace_back([this, i] { client(i); });
  const auto stop_at = steady::now() + plan_.stop;
  while (steady::now() < stop_at || answered == 0) std::this_thread::yield();
  stop(server);
  std::thread successor;
  if (plan_.successor) successor = std::thread([&] { ask_successor(at_->to_string()); });
  const int status = server.wait();
  over_ = true;
  for (std::thread& t : clients) t.join();
  if (successor.joinable()) successor.join();
  const bool at_once = plan_.is_hard() && (status == 128 + SIGTERM || status == -SIGTERM);
  if (status != 0 && !at_once) fault("the server ended with " + std::to_string(status));
  if (!plan_.is_hard() && server.report().connections_cancelled > 0) fault("cancelled connections");
  // Those that a killed supervisor leaves end a moment after it.
  const auto give_up = steady::now() + 20s;
  while (!server.left_nothing_running() && steady::now() < give_up) std::this_thread::yield();
  if (!server.left_nothing_running()) fault("it has left processes behind");
}

class real_draining : public testing::TestWithParam<std::string> {};

TEST_P(real_draining, loses_nothing_and_harms_nobody) {
  const std::string name(GetParam().substr(0, GetParam().find('/')));
  if (const auto a = available(name); !a.ok) GTEST_SKIP() << a.reason;
  const std::uint64_t stops = number_from("DRAIN_REAL_STOPS", 6);
  for (std::uint64_t seed = 1; seed <= stops && !HasFailure(); ++seed) {
    real_run one(seed * 100 + std::hash<std::string>{}(GetParam()) % 100, GetParam());
    one.play();
    EXPECT_GT(one.answered, 0U);
  }
}

std::vector<std::string> models_to_stop() {
  std::vector<std::string> out;
  for (const model_info& m : models()) out.push_back(m.model);
  return out;
}

INSTANTIATE_TEST_SUITE_P(real, real_draining, testing::ValuesIn(models_to_stop()), name_by_model);

}  // namespace
}  // namespace iolite_test
