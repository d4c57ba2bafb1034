// Direct descriptors: sockets in a table of the engine's own. The rest of the suite runs with them,
// too; this is what they alone have.
#include "support/engine_test.hpp"

#include "models/backends.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

// On the kernel of the test, with a table of so many.
std::unique_ptr<iolite::engine> with_table(unsigned slots, const std::string& parameter,
                                           engine_options o = {}) {
  o.direct_descriptors = slots;
  auto made = make_engine_on(system_of_test(), parameter.substr(0, parameter.find("_direct")), o);
  if (!made) throw std::runtime_error(made.error().message);
  return std::move(*made);
}

listener listen_on_loopback(iolite::engine& on) {
  auto made = listener::open(on, *endpoint::parse("127.0.0.1:0"));
  if (!made) throw std::runtime_error(made.error().message);
  return std::move(*made);
}

TEST_P(engine, sockets_in_the_engines_table_take_no_descriptors) {
  if (!traits().own_descriptors) GTEST_SKIP() << "its sockets have ordinary descriptors";
  struct body {
    static task<> check(iolite::engine& on) {
      listener l = listen_on_loopback(on);
      const int before = open_descriptors();
      std::vector<stream> all;
      for (int i = 0; i < 20; ++i) {
        auto ours = co_await stream::connect(l.local());
        EXPECT_TRUE(ours) << ours.error().message();
        auto accepted = co_await l.accept();
        EXPECT_TRUE(accepted) << accepted.error().message();
        if (!ours || !accepted) co_return;
        all.push_back(std::move(*ours));
        all.push_back(std::move(*accepted));
      }
      EXPECT_EQ(open_descriptors(), before);
      for (std::size_t i = 0; i < all.size(); i += 2) {
        EXPECT_TRUE(co_await send_text(all[i], "hello"));
        EXPECT_EQ((co_await receive(all[i + 1])).value_or("error"), "hello");
      }
    }
  };
  run(body::check(on()));
}

TEST_P(engine, a_system_call_can_be_made_on_any_stream) {
  struct body {
    static task<> check(iolite::engine& on) {
      half_pair p = tcp_half(on);
      EXPECT_NE(p.ours.local().port(), 0);
      EXPECT_NE(p.ours.peer().port(), p.ours.local().port());
      EXPECT_TRUE(p.ours.set_nodelay(true));
      {
        const system_descriptor socket(p.ours);
        EXPECT_GE(socket.number(), 0);
        int type = 0;
        socklen_t n = sizeof type;
        EXPECT_EQ(on.os().getsockopt(socket.number(), SOL_SOCKET, SO_TYPE, &type, &n), 0);
        EXPECT_EQ(type, SOCK_STREAM);
      }
      p.theirs.send_all("still open");
      EXPECT_EQ((co_await receive(p.ours)).value_or("error"), "still open");
    }
  };
  run(body::check(on()));
}

// The newcomer stays in the queue of the listener, and is let in once there is room.
TEST_P(engine, a_full_table_turns_no_connection_away) {
  if (!traits().own_descriptors) GTEST_SKIP() << "its sockets have ordinary descriptors";
  const auto small = with_table(2, GetParam());
  listener l = listen_on_loopback(*small);
  struct body {
    static task<> check(listener& l) {
      std::vector<raw_socket> peers;
      for (int i = 0; i < 3; ++i) peers.push_back(raw_socket::connect(l.local()));
      auto first = co_await l.accept();
      auto second = co_await l.accept();
      EXPECT_TRUE(first && second);
      if (!first || !second) co_return;
      const auto third = co_await l.accept();
      EXPECT_EQ(third ? std::error_code() : third.error(),
                std::errc::too_many_files_open_in_system);
      const auto connected = co_await stream::connect(l.local());
      EXPECT_EQ(connected ? std::error_code() : connected.error(),
                std::errc::too_many_files_open_in_system);
      first->close();
      peers[2].send_all("waited");
      auto again = co_await l.accept();
      EXPECT_TRUE(again);
      if (!again) co_return;
      EXPECT_EQ((co_await receive(*again)).value_or("error"), "waited");
    }
  };
  small->run(body::check(l));
}

// Of the stream before, a multishot receive was armed, and something had come for it.
TEST_P(engine, a_place_of_the_table_that_is_used_again_belongs_to_its_new_stream) {
  if (!traits().own_descriptors) GTEST_SKIP() << "its sockets have ordinary descriptors";
  const auto small = with_table(1, GetParam(), {.receives = engine_options::receiving::multishot});
  struct body {
    static task<> check(iolite::engine& on) {
      for (const char* const text : {"first", "second", "third"}) {
        half_pair pair = unix_half(on);
        pair.theirs.send_all(text);
        EXPECT_EQ((co_await receive(pair.ours)).value_or("error"), text);
        pair.theirs.send_all("nobody reads this");
        co_await iolite::sleep(1us);
      }
    }
  };
  small->run(body::check(*small));
}

TEST_P(engine, a_table_larger_than_the_limit_is_refused_in_one_line) {
  if (!traits().own_descriptors) GTEST_SKIP() << "its sockets have ordinary descriptors";
  engine_options o;
  o.direct_descriptors = 2'000'000;
  const auto made = make_engine_on(system_of_test(), on().name(), o);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, std::errc::argument_list_too_long);
  EXPECT_NE(made.error().message.find("direct_descriptors"), std::string::npos);
  EXPECT_EQ(made.error().message.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace iolite_test
