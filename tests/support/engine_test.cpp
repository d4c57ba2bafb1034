// See engine_test.hpp.
#include "support/engine_test.hpp"

#include "kernel/faulty.hpp"
#include "models/backends.hpp"
#include "support/sanitizers.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>

namespace iolite_test {

// Once a process: GoogleTest asks for the list again for each test, and asking makes rings.
const std::vector<iolite::model_info>& known_models() {
  static const std::vector<iolite::model_info> known = [] {
    std::vector<iolite::model_info> all = iolite::models();
    // glibc's helper threads are none of the sanitizer's, and crash in its allocator.
    if (thread_sanitizer) {
      std::erase_if(all, [](const iolite::model_info& m) { return m.engine == "posix_aio"; });
    }
    return all;
  }();
  return known;
}

std::vector<std::string> engine_names(bool only_available) {
  std::vector<std::string> out;
  for (const iolite::model_info& m : known_models()) {
    if (only_available && !m.available) continue;
    if (std::find(out.begin(), out.end(), m.engine) == out.end()) out.push_back(m.engine);
  }
  return out;
}

namespace {

constexpr std::string_view simulated_mark = "_simulated_";

struct variant {
  std::string_view mark;
  std::string_view needs;  // a feature
  void (*set)(iolite::engine_options&);
};
constexpr std::array variants = {
    variant{"_direct", "direct-descriptors",
            [](iolite::engine_options& o) { o.direct_descriptors = 512; }},
    variant{"_multishot", "multishot-receive",
            [](iolite::engine_options& o) {
              o.receives = iolite::engine_options::receiving::multishot;
            }},
};

}  // namespace

std::string engine_of(const std::string& parameter) {
  return without_variant(parameter.substr(0, parameter.find(simulated_mark)));
}

std::vector<std::string> variants_of(const iolite::model_info& m) {
  std::vector<std::string> out;
  for (const variant& v : variants) {
    if (std::ranges::find(m.features, v.needs) != m.features.end()) out.emplace_back(v.mark);
  }
  return out;
}

std::vector<std::string> engine_variants() {
  std::vector<std::string> out = engine_names(true);
  for (const iolite::model_info& m : known_models()) {
    for (const std::string& mark : variants_of(m)) {
      if (std::ranges::find(out, m.engine + mark) == out.end()) out.push_back(m.engine + mark);
    }
  }
  return out;
}

std::vector<std::string> simulated_variants(int seeds) {
  std::vector<std::string> out;
  for (const char* name : {"select", "poll", "epoll", "signal", "nonblocking", "blocking",
                           "posix_aio", "io_uring", "io_uring_direct", "io_uring_multishot"}) {
    for (int seed = 1; seed <= seeds; ++seed) {
      out.push_back(std::string(name) + std::string(simulated_mark) + std::to_string(seed));
    }
  }
  return out;
}

std::string without_variant(std::string name) {
  for (const variant& v : variants) {
    if (const auto at = name.find(v.mark); at != name.npos) name.erase(at, v.mark.size());
  }
  return name;
}

iolite::engine_options options_of(const std::string& name, iolite::engine_options others) {
  for (const variant& v : variants) {
    if (name.find(v.mark) != name.npos) v.set(others);
  }
  return others;
}

bool has_run_elsewhere(const std::string& engine) {
  static std::map<std::string, bool> seen;
  if (is_simulated()) return false;
  const auto [it, is_first] = seen.try_emplace(engine_of(engine), false);
  if (is_first) it->second = new_engine(engine)->traits().after_fork;
  if (is_first || it->second) return false;
  run_this_test_elsewhere();
  return true;
}

std::unique_ptr<iolite::engine> new_engine(const std::string& name) {
  if (is_simulated()) return new_engine(system_of_test(), name);
  auto made = iolite::make_engine(engine_of(name), options_of(name));
  if (!made) throw std::runtime_error(made.error().message);
  return std::move(*made);
}

std::unique_ptr<iolite::engine> new_engine(iolite::kernel& os, const std::string& name,
                                           const iolite::engine_options& options) {
  auto made = iolite::make_engine_on(os, engine_of(name), options_of(name, options));
  if (!made) throw std::runtime_error(made.error().message);
  return std::move(*made);
}

iolite::clock::time_point now() noexcept { return system_of_test().now(); }

engine::engine() = default;
engine::~engine() = default;

void engine::SetUp() {
  if (const auto at = GetParam().find(simulated_mark); at != std::string::npos) {
    const std::string seed = GetParam().substr(at + simulated_mark.size());
    simulated_ = std::make_unique<simulated_system>(std::stoull(seed));
  }
  before_ = open_descriptors();
  if (has_run_elsewhere(GetParam())) GTEST_SKIP() << "it has run in a process of its own";
}

// Where nothing fails, what a facility tells is enough: a second look, which comes 10 ms later, has
// nothing to find. On the real kernel something may just be arriving when it looks.
void engine::TearDown() {
  if (it_ && !os_ && simulated_ && !may_miss_events_) {
    EXPECT_EQ(it_->stats().missed_events, 0U) << "only a second look has found something";
  }
  it_.reset();
  EXPECT_EQ(open_descriptors(), before_) << "descriptors leaked";
}

iolite::engine& engine::on() {
  if (!it_) it_ = new_engine(GetParam());
  return *it_;
}

iolite::faulty& engine::on_faulty(std::vector<iolite::fault> plan) {
  return on_faulty(std::move(plan), {});
}

iolite::faulty& engine::on_faulty(std::vector<iolite::fault> plan,
                                  std::vector<iolite::completion_fault> completions) {
  os_ = std::make_unique<iolite::faulty>(system_of_test(), std::move(plan));
  if (!completions.empty()) os_->fail_completions(std::move(completions));
  it_ = new_engine(*os_, GetParam());
  return *os_;
}

}  // namespace iolite_test
