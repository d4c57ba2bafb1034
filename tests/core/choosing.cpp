// Which model a name means: choose(), auto, and the environment variable IOLITE_MODEL.
#include "iolite/models.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

namespace {

using namespace iolite;

class choosing : public testing::Test {
 protected:
  void SetUp() override { ::unsetenv("IOLITE_MODEL"); }
  void TearDown() override { ::unsetenv("IOLITE_MODEL"); }
};

TEST_F(choosing, an_engine_alone_has_a_usual_placement) {
  const auto poll = choose("poll");
  ASSERT_TRUE(poll) << poll.error().message;
  EXPECT_EQ(poll->model, "poll/shared");
  EXPECT_EQ(poll->engine, "poll");
  EXPECT_EQ(poll->placement, placement::shared);
  const auto blocking = choose("blocking");
  ASSERT_TRUE(blocking) << blocking.error().message;
  EXPECT_EQ(blocking->model, "blocking/thread");
}

TEST_F(choosing, a_name_with_a_placement_is_taken_as_it_is) {
  for (const char* name : {"poll/shared", "poll/thread", "poll/process", "poll/pool",
                           "poll/prefork", "blocking/pool"}) {
    const auto c = choose(name);
    ASSERT_TRUE(c) << c.error().message;
    EXPECT_EQ(c->model, name);
    EXPECT_EQ(c->model, c->engine + "/" + std::string(name_of(c->placement)));
  }
}

TEST_F(choosing, auto_takes_a_model_that_works_and_says_why) {
  const auto c = choose();
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_NE(c->engine, "auto");
  EXPECT_TRUE(available(c->engine).ok);
  EXPECT_FALSE(c->why.empty());
  EXPECT_EQ(c->why.find('\n'), std::string::npos);
  EXPECT_TRUE(make_engine("auto"));
}

TEST_F(choosing, auto_takes_the_best_that_is_there) {
  const auto c = choose("auto");
  ASSERT_TRUE(c);
  for (const char* better : {"io_uring", "epoll", "kqueue", "poll", "select"}) {
    if (c->engine == better) break;
    EXPECT_FALSE(available(better).ok)
        << better << " is better than " << c->engine << ": " << c->why;
  }
}

TEST_F(choosing, auto_with_a_placement) {
  const auto c = choose("auto/pool");
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->placement, placement::pool);
}

TEST_F(choosing, the_environment_says_what_auto_means) {
  ::setenv("IOLITE_MODEL", "select/pool", 1);
  const auto c = choose("auto");
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->model, "select/pool");
  EXPECT_NE(c->why.find("IOLITE_MODEL"), std::string::npos) << c->why;
}

TEST_F(choosing, the_environment_does_not_change_an_explicit_name) {
  ::setenv("IOLITE_MODEL", "select", 1);
  EXPECT_EQ(choose("poll")->model, "poll/shared");
}

TEST_F(choosing, a_wrong_name_in_the_environment_is_an_error_that_names_the_variable) {
  ::setenv("IOLITE_MODEL", "telepathy", 1);
  const auto c = choose("auto");
  ASSERT_FALSE(c);
  EXPECT_NE(c.error().message.find("telepathy"), std::string::npos) << c.error().message;
  EXPECT_NE(c.error().message.find("IOLITE_MODEL"), std::string::npos) << c.error().message;
}

TEST_F(choosing, an_empty_variable_is_no_variable) {
  ::setenv("IOLITE_MODEL", "", 1);
  EXPECT_TRUE(choose("auto"));
}

TEST_F(choosing, wrong_names_are_refused_with_the_right_ones) {
  for (const char* name :
       {"", "telepathy", "poll/nowhere", "/shared", "poll/shared/more", "POLL", " poll"}) {
    const auto c = choose(name);
    EXPECT_FALSE(c) << "'" << name << "' means " << (c ? c->model : "");
    if (c) continue;
    EXPECT_EQ(c.error().code, std::errc::invalid_argument) << name;
    EXPECT_EQ(c.error().message.find('\n'), std::string::npos);
  }
  EXPECT_NE(choose("telepathy").error().message.find("epoll"), std::string::npos);
  EXPECT_NE(choose("poll/nowhere").error().message.find("prefork"), std::string::npos);
}

TEST_F(choosing, a_name_asked_for_explicitly_never_falls_back) {
  for (const model_info& m : models()) {
    const auto c = choose(m.model);
    if (m.available) {
      ASSERT_TRUE(c) << m.model << ": " << c.error().message;
      EXPECT_EQ(c->model, m.model);
    } else {
      ASSERT_FALSE(c) << m.model;
      EXPECT_NE(c.error().message.find(m.reason), std::string::npos) << c.error().message;
    }
  }
}

TEST_F(choosing, the_list_of_models_is_sound) {
  std::set<std::string> seen;
  for (const model_info& m : models()) {
    EXPECT_TRUE(seen.insert(m.model).second) << m.model << " is listed twice";
    EXPECT_EQ(m.model, m.engine + "/" + std::string(name_of(m.placement)));
    EXPECT_TRUE(m.shape == "blocking" || m.shape == "readiness" || m.shape == "completion")
        << m.shape;
    EXPECT_EQ(m.available, m.reason.empty()) << m.reason;
  }
  EXPECT_TRUE(seen.contains("blocking/thread"));
  EXPECT_TRUE(seen.contains("epoll/shared"));
  EXPECT_FALSE(seen.contains("blocking/shared")) << "one client at a time";
}

}  // namespace
