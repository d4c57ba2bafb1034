// Every system call of every scenario fails once, in every way it can: no crash, no hang, no leak.
//
// The first run counts the calls. Then, for each kind of call, each of the first calls of it, and
// each error the man page names, the scenario runs again with that one fault. What was being played
// is printed when the program stops.
#include "errnos.hpp"
#include "scenarios.hpp"

#include "backends.hpp"
#include "kernel/faulty.hpp"
#include "support/engine_test.hpp"

#include <csignal>
#include <cstdio>
#include <unistd.h>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr unsigned hang_limit_s = 20;
constexpr std::uint64_t every_call_up_to = 12;  // of a kind; then samples
constexpr std::uint64_t last_call = 60;

char playing[256] = "nothing yet";

void say_what_was_played(int number) {
  const char* const what = number == SIGALRM ? "\nhangs: " : "\nstops: ";
  static_cast<void>(!::write(STDERR_FILENO, what, 8));
  static_cast<void>(!::write(STDERR_FILENO, playing, std::char_traits<char>::length(playing)));
  static_cast<void>(!::write(STDERR_FILENO, "\n", 1));
  std::signal(number == SIGALRM ? SIGABRT : number, SIG_DFL);
  ::raise(number == SIGALRM ? SIGABRT : number);
}

struct part {
  std::string engine;
  scenario what;
};

std::vector<part> all_parts() {
  std::vector<part> out;
  for (const std::string& e : engine_names(true)) {
    for (const scenario& s : all_scenarios()) out.push_back({e, s});
  }
  return out;
}

class torture : public testing::TestWithParam<part> {
 protected:
  void SetUp() override {
    std::signal(SIGALRM, say_what_was_played);
    std::signal(SIGABRT, say_what_was_played);
    std::signal(SIGSEGV, say_what_was_played);
  }
  void TearDown() override {
    ::alarm(0);
    for (const int s : {SIGALRM, SIGABRT, SIGSEGV}) std::signal(s, SIG_DFL);
  }

  // Errors and exceptions are fine: the caller was told.
  void play(faulty& os) {
    ::alarm(hang_limit_s);
    try {
      auto made = make_engine_on(os, GetParam().engine);
      if (made) GetParam().what.play(**made);
    } catch (const std::exception&) {
    }
    ::alarm(0);
  }

  void play_with(const fault& f) {
    std::snprintf(playing, sizeof playing, "%s on %s, %s number %llu fails with errno %d",
                  GetParam().what.name, GetParam().engine.c_str(),
                  std::string(name_of(f.what)).c_str(), static_cast<unsigned long long>(f.nth),
                  f.error);
    const int before = open_descriptors();
    {
      faulty os(kernel::real(), {f});
      play(os);
    }
    EXPECT_EQ(open_descriptors(), before) << playing;
    ++played_;
  }

  int played_ = 0;
};

TEST_P(torture, one_call_fails) {
  std::snprintf(playing, sizeof playing, "%s on %s, nothing fails", GetParam().what.name,
                GetParam().engine.c_str());
  faulty counting(kernel::real());
  play(counting);  // once more first: what is made once a process is made now
  faulty os(kernel::real());
  const int before = open_descriptors();
  play(os);
  ASSERT_EQ(open_descriptors(), before) << "leaks without a fault";
  for (std::size_t i = 0; i < call_count; ++i) {
    const auto c = static_cast<call>(i);
    const std::uint64_t calls = std::min(os.calls(c), last_call);
    for (std::uint64_t n = 1; n <= calls; n += n < every_call_up_to ? 1 : 7) {
      for (const int error : errnos_of(c)) play_with({.what = c, .nth = n, .error = error});
    }
  }
  EXPECT_GT(played_, 0);
  RecordProperty("faults", played_);
}

INSTANTIATE_TEST_SUITE_P(torture, torture, testing::ValuesIn(all_parts()),
                         [](const auto& p) { return p.param.engine + "_" + p.param.what.name; });

}  // namespace
}  // namespace iolite_test
