// Whatever one system call answers, whatever memory is not to be had, whatever a completion says:
// no scenario crashes, hangs, or leaves a descriptor or memory behind.
//
// The first run of a scenario counts its calls, allocations and completions. Then it runs again
// with each of them failing once, in each way that it can, and from then on; and with pairs of such
// faults, drawn by a seed. The faults are dealt out to a few processes, which overlap their waiting
// and which a crash does not take along. What was being played is printed when one stops.
//
// IOLITE_TORTURE_SEED=N draws other pairs. IOLITE_TORTURE_ONLY='TEXT' plays only the faults of
// which the description contains TEXT, and prints them: to repeat one.
#include "faults.hpp"
#include "memory.hpp"
#include "pieces.hpp"
#include "slices.hpp"

#include "kernel/faulty.hpp"
#include "models/backends.hpp"
#include "support/engine_test.hpp"
#include "support/sanitizers.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <latch>
#include <thread>

namespace iolite_test {
namespace {

using namespace iolite;

// A sanitizer makes each run ten times as long: there, every so many faults only.
constexpr unsigned sanitizer_stride = address_sanitizer || thread_sanitizer ? 16 : 1;

constexpr unsigned processes = 4;
constexpr int pairs = 24;  // of a scenario on an engine

std::vector<scenario> all_scenarios() {
  std::vector<scenario> out;
  for (const auto part : {connection_scenarios(), ending_scenarios(), task_scenarios(),
                          file_scenarios(), selector_scenarios(), server_scenarios()}) {
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

struct part {
  std::string engine;
  scenario what;
};

void PrintTo(const part& p, std::ostream* out) { *out << p.engine << ' ' << p.what.name; }

std::vector<part> all_parts(bool completes) {
  std::vector<part> out;
  for (const std::string& e : engine_names(true)) {
    if (completes && e != "io_uring") continue;
    for (const scenario& s : all_scenarios()) out.push_back({e, s});
  }
  return out;
}

// What was counted in a run.
struct run_counts {
  faulty_counts kernel;
  memory::counted memory;
};

// One run, in a thread of its own: what the library keeps for a thread goes with it.
run_counts run_once(const part& p, const play& with) {
  run_counts out;
  std::thread([&] {
    faulty os(kernel::real(), with.calls);
    os.fail_completions(with.completions);
    memory::arm(with.allocation, with.allocations);
    try {  // errors and exceptions are fine: the caller was told
      auto made = make_engine_on(os, p.engine);
      if (made) p.what.play(**made);
    } catch (const std::exception&) {
    }
    out = {counts_of(os), memory::disarm()};
  }).join();
  return out;
}

// What a fault must not change.
struct belongings {
  int descriptors = open_descriptors();
  std::int64_t memory = memory::outstanding();
};

// What is there when all has settled. A thread that was let go may still hold something when it is
// looked at, so a look never shows too little: the least that was ever seen is the truth.
class baseline {
 public:
  // Whether nothing is left beyond it, at once or within a few seconds.
  bool settles() {
    const auto until = iolite::clock::now() + 5s;
    for (;;) {
      const belongings now;
      if (now.descriptors <= least_.descriptors && now.memory <= least_.memory) {
        least_ = now;
        return true;
      }
      if (iolite::clock::now() > until) return false;
      std::this_thread::yield();
    }
  }
  [[nodiscard]] std::string leaves() const {
    return fmt::format("leaves {} descriptors and {} allocations; there were {} and {}",
                       open_descriptors(), memory::outstanding(), least_.descriptors,
                       least_.memory);
  }

 private:
  belongings least_;
};

// The library's helper threads are never joined: all of them are started now.
void start_helpers() {
  std::latch all_at_work(offload_threads_max);
  const auto on = new_engine("poll");
  on->run(in_scope([&](iolite::scope& s) -> task<> {
    for (unsigned i = 0; i < offload_threads_max; ++i) {
      s.spawn([](std::latch& all) -> task<> {
        static_cast<void>(co_await offload([&all] { all.arrive_and_wait(); }));
      }(all_at_work));
    }
    co_return;
  }));
}

// Plays its share of what `list` makes of the counts of a run without a fault.
template <class List>
void play_share(const part& p, const share& mine, List list) {
  mine.playing(p.what.name, p.engine, "nothing fails");
  start_helpers();
  for (int i = 0; i < 2; ++i) run_once(p, {});  // what is made once a process is made now
  baseline at_first;
  run_counts counted;
  for (int i = 0; i < 3; ++i) {
    counted = run_once(p, {});
    ASSERT_TRUE(at_first.settles()) << "a run without a fault " << at_first.leaves();
  }
  const char* const only = std::getenv("IOLITE_TORTURE_ONLY");
  const std::vector<play> all = list(counted);
  baseline before;
  std::uint64_t number = 0;
  for (const play& each : all) {
    const std::uint64_t n = number++;
    if (only && describe(each).find(only) == std::string::npos) continue;
    if (!only && !mine.has(n, p.what.stride * sanitizer_stride)) continue;
    mine.playing(p.what.name, p.engine, describe(each));
    if (only) std::printf("plays %s\n", describe(each).c_str());
    const run_counts got = run_once(p, each);
    mine.count(got.kernel.injected + got.memory.failed > 0);
    ASSERT_TRUE(before.settles()) << mine.what() << " " << before.leaves();
    ASSERT_FALSE(mine.crashed()) << mine.what() << ": a child process crashed";
  }
}

class torture : public testing::TestWithParam<part> {
 protected:
  // `may_be_empty`: there may be nothing that can fail.
  template <class List>
  void play_all(List list, bool may_be_empty = false) {
    const part& p = GetParam();
    const shares all = run_shares(processes, [&](const share& s) { play_share(p, s, list); });
    EXPECT_EQ(all.failed, 0) << all.errors;
    RecordProperty("plays", static_cast<int>(all.plays));
    RecordProperty("took_effect", static_cast<int>(all.took_effect));
    std::printf("plays %llu, of which a fault took effect in %llu\n",
                static_cast<unsigned long long>(all.plays),
                static_cast<unsigned long long>(all.took_effect));
    if (!may_be_empty && sanitizer_stride == 1) {
      EXPECT_GT(all.took_effect, 0U);
    }
  }
};

TEST_P(torture, a_call_fails) {
  play_all([](const run_counts& c) { return failing_calls(c.kernel); });
}

TEST_P(torture, an_allocation_fails) {
  play_all([](const run_counts& c) { return failing_allocations(c.memory.allocations); });
}

TEST_P(torture, a_pair_fails) {
  const char* const text = std::getenv("IOLITE_TORTURE_SEED");
  const std::uint64_t seed = text ? std::strtoull(text, nullptr, 0) : 1;
  std::printf("seed %llu; to draw again: IOLITE_TORTURE_SEED=%llu\n",
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(seed));
  play_all([&](const run_counts& c) {
    return failing_pairs(c.kernel, c.memory.allocations, seed, pairs * GetParam().what.stride);
  });
}

class torture_of_completions : public torture {};

TEST_P(torture_of_completions, a_completion_fails) {
  play_all([](const run_counts& c) { return failing_completions(c.kernel); }, true);
}

std::string name_of_part(const testing::TestParamInfo<part>& p) {
  return p.param.engine + "_" + p.param.what.name;
}

INSTANTIATE_TEST_SUITE_P(torture, torture, testing::ValuesIn(all_parts(false)), name_of_part);
INSTANTIATE_TEST_SUITE_P(torture, torture_of_completions, testing::ValuesIn(all_parts(true)),
                         name_of_part);

}  // namespace
}  // namespace iolite_test
