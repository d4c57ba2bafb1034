// Which engines the suite runs on: what the registry lists and this machine allows.
#include "support/engine_test.hpp"

#include <iostream>

namespace iolite_test {

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(engine);
INSTANTIATE_TEST_SUITE_P(conformance, engine, testing::ValuesIn(engine_variants()),
                         [](const auto& p) { return p.param; });

namespace {

std::vector<iolite::system_call_count> calls_to_find_out;

// Before any test has run.
std::vector<std::string> find_out() {
  std::vector<std::string> names = engine_names(false);
  calls_to_find_out = iolite::system_calls();
  return names;
}

class registry : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(conformance, registry, testing::ValuesIn(find_out()),
                         [](const auto& p) { return p.param; });

TEST_P(registry, engine_is_available_or_says_why_not) {
  const iolite::availability a = iolite::available(GetParam());
  if (a.ok) {
    EXPECT_TRUE(a.reason.empty());
    EXPECT_EQ(new_engine(GetParam())->name(), GetParam());
    return;
  }
  EXPECT_FALSE(a.reason.empty());
  EXPECT_EQ(a.reason.find('\n'), std::string::npos) << "more than one line";
  EXPECT_NE(a.error, 0);
  auto made = iolite::make_engine(GetParam());
  ASSERT_FALSE(made.has_value());
  EXPECT_FALSE(made.error().message.empty());
  GTEST_SKIP() << GetParam() << ": " << a.reason;
}

// A process that has once had a second thread pays for it in each of glibc's system calls.
TEST(registry_names, finding_out_which_engines_there_are_takes_no_thread) {
  EXPECT_FALSE(calls_to_find_out.empty());
  for (const auto& c : calls_to_find_out) EXPECT_NE(c.name, "clone") << c.count;
}

TEST(registry_names, every_engine_is_listed) {
  std::vector<std::string> names;
  for (const iolite::model_info& m : iolite::models()) names.push_back(m.engine);
  for (const char* name : {"blocking", "nonblocking", "select", "poll", "epoll", "kqueue", "signal",
                           "posix_aio", "io_uring"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  }
}

TEST(registry_names, an_unknown_engine_is_refused_with_the_names_there_are) {
  auto made = iolite::make_engine("carrier_pigeon");
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, std::errc::invalid_argument);
  EXPECT_NE(made.error().message.find("epoll"), std::string::npos) << made.error().message;
  EXPECT_FALSE(iolite::available("carrier_pigeon").ok);
}

TEST(registry_names, auto_gives_an_engine_that_works) {
  const std::unique_ptr<iolite::engine> e = new_engine("auto");
  stream_pair pair = unix_streams(*e);
  EXPECT_TRUE(e->run(send_text(pair.a, "hello")));
  EXPECT_EQ(e->run(receive(pair.b)).value_or("error"), "hello");
}

}  // namespace
}  // namespace iolite_test
