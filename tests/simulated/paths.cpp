// Unix paths in simulated worlds: a server's host crashes, servers follow each other.
#include "worlds.hpp"

#include "kernel/kernel.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <fcntl.h>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr auto models = {"select",      "poll",     "epoll",   "signal",
                         "nonblocking", "blocking", "io_uring"};

// Asks once a second, until it has been answered so often.
task<> insist(std::string to, int answers, int& refused) {
  const endpoint at = parse(to);
  while (answers > 0) {
    auto s = co_await stream::connect(at);
    if (!s) ++refused;
    if (s) {
      const auto asked = co_await s->send_all("ask?");
      std::array<std::byte, 4> answer{};
      const auto got = co_await (s->recv_all(answer) | within(1s));
      if (asked && got) --answers;
    }
    co_await iolite::sleep(1s);
  }
}

TEST(simulated_path, a_server_that_crashed_takes_its_own_path_over) {
  for (const char* model : models) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      int refused = 0;
      simulate::world w(seed, {.faults = simulate::faults::some()});
      const auto h = w.add_host("host");
      const std::string path = "unix:/run/s";
      w.serve(h, give_back, {.model = model, .listen = {path}});
      w.at(3s, [&] { w.crash(h); });
      w.at(5s, [&] {
        w.restart(h);
        w.run(h, "epoll", [&] { return insist(path, 3, refused); }, "client");
      });
      const auto r = w.finish();
      ASSERT_TRUE(r.ok()) << model << ": " << r.to_string();
    }
  }
}

TEST(simulated_path, of_two_servers_on_one_path_one_says_that_it_is_in_use) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    int refused = 0;
    simulate::world w(seed);
    const auto h = w.add_host("host");
    const std::string path = "unix:/run/s";
    for (int i = 0; i < 2; ++i) w.serve(h, give_back, {.model = "epoll", .listen = {path}});
    w.run(h, "epoll", [&] { return insist(path, 3, refused); }, "client");
    const auto r = w.run_for(10s);
    ASSERT_EQ(r.failures.size(), 1U) << r.to_string();
    EXPECT_NE(r.failures[0].find("in use"), std::string::npos) << r.failures[0];
    EXPECT_EQ(refused, 0);
    static_cast<void>(w.finish());
  }
}

TEST(simulated_path, directories_are_those_of_every_system_and_of_the_options) {
  struct body {
    static task<> look() {
      kernel& os = (co_await here{}).on->os();
      for (const char* path : {"/data/db/log", "/data/log", "/var/lib/log", "/log"}) {
        const int fd = os.open(path, O_RDWR | O_CREAT, 0600);
        simulate::check(fd >= 0, path);
        os.close(fd);
      }
      simulate::check(os.open("/nowhere/log", O_RDWR | O_CREAT, 0600) == -ENOENT, "not there");
    }
  };
  simulate::world w(1, {.directories = {"/data/db"}});
  const auto h = w.add_host("host");
  w.run(h, "poll", body::look);
  const auto r = w.finish();
  EXPECT_TRUE(r.ok()) << r.to_string();
}

}  // namespace
}  // namespace iolite_test
