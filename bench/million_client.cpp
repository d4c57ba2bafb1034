// The client of bench/million: as many engines as the server, each with connections to a port of
// its own. Every answer is compared, byte by byte.
//
//   million_client SLOTS MEMORY_FLOOR_BYTES PORT...
//
// Commands on its standard input, each answered with a line; the end of the input ends it:
//   open N         until N are open, each with one echo: `open COUNT SECONDS WHY`, WHY is `-`, or
//                  what ended it early: the memory available fell below the floor, a failure
//   load ACTIVE S  for S seconds ACTIVE echoes a second, in turns over ACTIVE of all connections:
//                  `load COUNT P50_NS P99_NS MAX_NS WHY`. One that begins late because the one
//                  before took long counts from when it should have begun.
//   close          all of them: `close COUNT SECONDS WHY`
#include "load_parts.hpp"

#include <iolite/iolite.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <thread>

namespace {

constexpr std::size_t message_bytes = 64;

// Anything that ends a phase early, for all engines.
class trouble {
 public:
  void note(const std::string& what) {
    const std::lock_guard hold(lock_);
    if (what_.empty()) what_ = what;
    noted_ = true;
  }
  bool noted() const { return noted_; }
  std::string take() {
    const std::lock_guard hold(lock_);
    noted_ = false;
    return what_.empty() ? "-" : std::exchange(what_, {});
  }

 private:
  std::mutex lock_;
  std::string what_;
  std::atomic<bool> noted_ = false;
};

// Of one engine: an echo each `interval`, on the monotonic clock.
struct load_plan {
  std::size_t active;
  nanoseconds begin, end, interval;
};

// The connections of one engine.
class group {
 public:
  group(unsigned number, unsigned slots, unsigned port, trouble& t)
      : number_(number), to_(*iolite::endpoint::parse("127.0.0.1:" + std::to_string(port))),
        trouble_(t) {
    iolite::engine_options o;
    o.direct_descriptors = slots;
    auto made = iolite::make_engine("io_uring", o);
    if (!made) give_up("million_client", made.error().message);
    on_ = std::move(*made);
    open_.reserve(slots);
  }

  std::size_t size() const { return open_.size(); }
  // On a thread of its own, always the same: see run().
  void open(std::size_t most) { on_->run(open_until(most)); }
  void load(const load_plan& plan) { on_->run(load_until(plan)); }
  void close() { on_->run(close_all()); }
  std::vector<std::uint32_t>& latencies() { return latencies_; }

 private:
  iolite::task<> open_until(std::size_t most) {
    while (open_.size() < most && !trouble_.noted()) {
      auto made = co_await iolite::stream::connect(to_);
      if (!made) {
        trouble_.note("connect: " + made.error().message());
        co_return;
      }
      open_.push_back(std::move(*made));
      auto first = echo(open_.size() - 1);
      co_await first;
    }
  }

  iolite::task<> load_until(load_plan plan) {
    latencies_.clear();
    const std::size_t active = std::min(plan.active, open_.size());
    if (active == 0) co_return;
    const std::size_t step = open_.size() / active;
    nanoseconds due = plan.begin;
    for (std::size_t i = 0; due < plan.end && !trouble_.noted(); i = (i + 1) % active) {
      const nanoseconds early = due - read_clock(CLOCK_MONOTONIC);
      if (early > 0) co_await iolite::sleep(std::chrono::nanoseconds(early));
      const nanoseconds begin = early > 0 ? read_clock(CLOCK_MONOTONIC) : due;
      auto one = echo(i * step);
      co_await one;
      latencies_.push_back(static_cast<std::uint32_t>(read_clock(CLOCK_MONOTONIC) - begin));
      due += plan.interval;
    }
  }

  iolite::task<> close_all() {
    open_.clear();
    co_return;
  }

  iolite::task<> echo(std::size_t at) {
    const auto connection = static_cast<unsigned>(number_ * 65'536 + at);
    const char* const sent = text_.at(connection, round_++);
    std::array<std::byte, message_bytes> got;
    auto out = open_[at].send_all(std::string_view(sent, message_bytes));
    const auto gone = co_await out;
    auto in = open_[at].recv_all(got);
    const auto back = co_await in;
    if (!gone || !back) {
      trouble_.note("an echo: " + (gone ? back.error() : gone.error()).message());
    } else if (std::memcmp(got.data(), sent, message_bytes) != 0) {
      trouble_.note("an answer differs from its question");
    }
  }

  const unsigned number_;
  const iolite::endpoint to_;
  trouble& trouble_;
  std::unique_ptr<iolite::engine> on_;
  std::vector<iolite::stream> open_;
  std::vector<std::uint32_t> latencies_;  // ns, of the last load
  pattern text_{message_bytes};
  std::uint64_t round_ = 0;
};

// A thread that does one thing after another: an engine belongs to its thread.
class worker {
 public:
  explicit worker(std::unique_ptr<group> of) : of_(std::move(of)) {}
  group& connections() { return *of_; }
  void begin(std::function<void(group&)> what) {
    done_ = false;
    {
      const std::lock_guard hold(lock_);
      next_ = std::move(what);
    }
    changed_.notify_one();
  }
  bool done() const { return done_; }
  [[noreturn]] void run() {
    for (;;) {
      std::unique_lock hold(lock_);
      changed_.wait(hold, [this] { return static_cast<bool>(next_); });
      const auto what = std::exchange(next_, nullptr);
      hold.unlock();
      what(*of_);
      done_ = true;
    }
  }

 private:
  std::unique_ptr<group> of_;
  std::mutex lock_;
  std::condition_variable changed_;
  std::function<void(group&)> next_;
  std::atomic<bool> done_ = true;
};

std::uint64_t memory_available() {
  std::ifstream in("/proc/meminfo");
  for (std::string name, unit; in >> name;) {
    std::uint64_t kilobytes = 0;
    in >> kilobytes;
    std::getline(in, unit);
    if (name == "MemAvailable:") return kilobytes * 1024;
  }
  return ~std::uint64_t{0};
}

class million {
 public:
  million(unsigned slots, std::uint64_t floor, const std::vector<unsigned>& ports) : floor_(floor) {
    for (const unsigned port : ports) {
      const auto number = static_cast<unsigned>(all_.size());
      all_.push_back(
          std::make_unique<worker>(std::make_unique<group>(number, slots, port, trouble_)));
      std::thread(&worker::run, all_.back().get()).detach();
    }
  }

  void open(std::size_t most) {
    const double seconds =
        each([&](std::size_t i) { return [mine = share(most, i)](group& g) { g.open(mine); }; });
    std::printf("open %zu %.3f %s\n", size(), seconds, trouble_.take().c_str());
  }

  void close() {
    const std::size_t before = size();
    const double seconds = each([](std::size_t) { return [](group& g) { g.close(); }; });
    std::printf("close %zu %.3f %s\n", before - size(), seconds, trouble_.take().c_str());
  }

  void load(std::size_t active, double seconds) {
    const nanoseconds begin = read_clock(CLOCK_MONOTONIC);
    const nanoseconds end = begin + static_cast<nanoseconds>(seconds * 1e9);
    each([&](std::size_t i) {
      // One after another, and not all at once.
      const auto mine = static_cast<nanoseconds>(std::max<std::size_t>(share(active, i), 1));
      const nanoseconds interval = 1'000'000'000 / mine;
      const nanoseconds first =
          begin + interval * static_cast<nanoseconds>(i) / static_cast<nanoseconds>(all_.size());
      return
          [=, plan = load_plan{share(active, i), first, end, interval}](group& g) { g.load(plan); };
    });
    std::vector<std::uint32_t> all;
    for (const auto& w : all_) {
      const auto& mine = w->connections().latencies();
      all.insert(all.end(), mine.begin(), mine.end());
    }
    std::ranges::sort(all);
    const auto at = [&](std::size_t percent) {
      return all.empty() ? 0U : all[(all.size() - 1) * percent / 100];
    };
    std::printf("load %zu %u %u %u %s\n", all.size(), at(50), at(99), at(100),
                trouble_.take().c_str());
  }

 private:
  // Of `total`, what engine `i` does: as many as the others, or one more.
  std::size_t share(std::size_t total, std::size_t i) const {
    return total / all_.size() + (i < total % all_.size() ? 1 : 0);
  }

  std::size_t size() const {
    std::size_t count = 0;
    for (const auto& w : all_) count += w->connections().size();
    return count;
  }

  // How many seconds it took.
  template <class Make>
  double each(Make make) {
    const nanoseconds begin = read_clock(CLOCK_MONOTONIC);
    for (std::size_t i = 0; i < all_.size(); ++i) all_[i]->begin(make(i));
    while (!std::ranges::all_of(all_, [](const auto& w) { return w->done(); })) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      if (memory_available() < floor_) trouble_.note("little memory is left");
    }
    return static_cast<double>(read_clock(CLOCK_MONOTONIC) - begin) / 1e9;
  }

  const std::uint64_t floor_;
  trouble trouble_;
  std::vector<std::unique_ptr<worker>> all_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  try {
    std::vector<unsigned> ports;
    for (int i = 3; i < argc; ++i) ports.push_back(static_cast<unsigned>(std::atoi(argv[i])));
    auto* const it = new million(static_cast<unsigned>(std::atoi(argv[1])),
                                 std::strtoull(argv[2], nullptr, 10), ports);
    for (std::string line; std::getline(std::cin, line); std::fflush(stdout)) {
      std::istringstream words(line);
      std::string command;
      std::size_t count = 0;
      double seconds = 1;
      words >> command >> count >> seconds;
      if (command == "open") it->open(count);
      else if (command == "load") it->load(count, seconds);
      else if (command == "close") it->close();
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    std::_Exit(1);
  }
  std::_Exit(0);  // at once, with all that is open
}
