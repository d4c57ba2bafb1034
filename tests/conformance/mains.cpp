// run(), a client's main: exit statuses, and one line for what has failed. And the clock it reads.
#include "support/engine_test.hpp"

#include <stdexcept>

namespace iolite_test {
namespace {

using namespace iolite;

struct ended {
  int status = -1;
  std::string said;  // on standard error
};

template <class Program>
ended main_of(Program program, const std::string& engine) {
  testing::internal::CaptureStderr();
  const int status = iolite::run(std::move(program), engine);
  return {status, testing::internal::GetCapturedStderr()};
}

task<> nothing() { co_return; }
task<int> number(int n) {
  const auto slept = co_await sleep(1ms);
  co_return slept ? n : -1;
}
template <class T>
task<T> gives(T value) {
  co_return value;
}
task<> adds(int& to, const std::string& text) {
  EXPECT_TRUE(co_await sleep(1ms));
  to += static_cast<int>(text.size());
}
task<> throws_text() {
  co_await number(1);
  throw std::runtime_error("two\nlines");
}
task<> throws_number() {
  co_await number(1);
  throw 1;
}

TEST_P(engine, the_main_of_a_program_gives_what_its_task_says) {
  const std::string on = engine_of(GetParam());
  for (const ended& good :
       {main_of(nothing(), on), main_of(number(0), on), main_of(gives(result<void>()), on),
        main_of(gives(result<int>(0)), on), main_of(gives(result<std::string>("text")), on)}) {
    EXPECT_EQ(good.status, 0);
    EXPECT_EQ(good.said, "");
  }
  EXPECT_EQ(main_of(number(7), on).status, 7);
  EXPECT_EQ(main_of(gives(result<int>(7)), on).status, 7);
}

TEST_P(engine, the_main_of_a_program_says_in_one_line_what_has_failed) {
  const std::string on = engine_of(GetParam());
  const auto refused = std::make_error_code(std::errc::connection_refused);
  for (const ended& failed :
       {main_of(gives(result<void>(std::unexpected(refused))), on),
        main_of(gives(result<int>(std::unexpected(refused))), on),
        main_of(gives(std::expected<int, error>(std::unexpected(error{{}, refused.message()}))),
                on),
        main_of(gives(std::expected<int, std::string>(std::unexpected(refused.message()))), on)}) {
    EXPECT_EQ(failed.status, 1);
    EXPECT_EQ(failed.said, "iolite: " + refused.message() + "\n");
  }
  const ended threw = main_of(throws_text(), on);
  EXPECT_EQ(threw.status, 1);
  EXPECT_EQ(threw.said, "iolite: two\\x0alines\n");
  const ended strange = main_of(throws_number(), on);
  EXPECT_EQ(strange.status, 1);
  EXPECT_EQ(strange.said, "iolite: an exception that is no std::exception\n");
}

TEST_P(engine, the_main_of_a_program_says_what_its_lambda_throws) {
  const auto throws = []() -> task<> { throw std::runtime_error("no arguments"); };
  const ended threw = main_of(throws, engine_of(GetParam()));
  EXPECT_EQ(threw.status, 1);
  EXPECT_EQ(threw.said, "iolite: no arguments\n");
}

task<result<void>> empty_braces() { co_return {}; }

TEST_P(engine, empty_braces_are_a_result) {
  EXPECT_EQ(main_of(empty_braces(), engine_of(GetParam())).status, 0);
}

TEST_P(engine, the_main_of_a_program_without_an_engine_says_why) {
  const ended none = main_of(nothing(), "carrier_pigeon");
  EXPECT_EQ(none.status, 1);
  EXPECT_TRUE(none.said.starts_with("iolite: there is no engine 'carrier_pigeon'")) << none.said;
}

TEST_P(engine, the_main_of_a_program_keeps_the_lambda_that_it_is_given) {
  int n = 0;
  const auto program = [&n, text = std::string(100, 'x')] { return adds(n, text); };
  EXPECT_EQ(main_of(program, engine_of(GetParam())).status, 0);
  EXPECT_EQ(n, 100);
}

TEST_P(engine, now_is_the_clock_of_sleeps) {
  struct body {
    static task<> check() {
      const auto before = iolite::now();
      EXPECT_TRUE(co_await sleep_until(before + 5ms));
      EXPECT_GE(iolite::now(), before + 5ms);
      const auto late = iolite::now();
      EXPECT_TRUE(co_await sleep_until(before)) << "it has passed";
      if (is_simulated()) {
        EXPECT_LT(iolite::now(), late + 1ms) << "it is not the system's";
      }
    }
  };
  const auto before = now();
  run(body::check());
  EXPECT_GE(now(), before + 5ms) << "the kernel's own";
}

}  // namespace
}  // namespace iolite_test
