// What counts as arrived when a server drains: see stream::at_end_for().
#include "kernel/kernel.hpp"
#include "support/engine_test.hpp"
#include "support/system.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

// A server that ends when a test says so.
struct ending_home final : detail::stream_home {
  bool ends = false;
  void close(detail::stream_owner&, iolite::engine& on, int fd, bool) noexcept override {
    on.close(fd);
  }
  void released(detail::stream_owner&) noexcept override {}
  [[nodiscard]] bool ending() const noexcept override { return ends; }
};

struct connection {
  explicit connection(half_pair pair)
      : ours(std::move(pair.ours)), theirs(std::move(pair.theirs)), owner{&home} {
    ours.set_owner(&owner);
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() { ours.close(); }

  ending_home home;
  stream ours;
  raw_socket theirs;
  detail::stream_owner owner;
};

enum class by : bool { receive, lease };

// The next message; "" at the end of the stream.
task<std::string> next(stream& from, by how) {
  if (how == by::receive) {
    const auto got = co_await receive(from);
    co_return got ? *got : got.error().message();
  }
  const auto got = co_await from.recv_lease();
  if (!got) co_return got.error().message();
  co_return std::string(reinterpret_cast<const char*>(got->bytes().data()), got->bytes().size());
}

// Everything up to the end of the stream, which is told again and again.
task<std::string> rest_of(stream& from, by how) {
  std::string all;
  for (;;) {
    const std::string part = co_await next(from, how);
    if (part.empty()) break;
    all += part;
  }
  EXPECT_EQ(co_await next(from, how), "");
  co_return all;
}

// Time for receives of the ring to bring what has been sent.
task<> some_turns() {
  for (int i = 0; i < 10; ++i) co_await iolite::sleep(1us);
}

// What was sent is in the kernel now, wherever the loop stands: a simulated network takes its time.
void let_it_arrive() {
  constexpr timespec a_while{0, 5'000'000};
  if (is_simulated()) system_of_test().nanosleep(&a_while);
}

task<> drain(connection& c, by how, bool brought, bool more) {
  c.theirs.send_all("first");
  EXPECT_EQ(co_await next(c.ours, how), "first");
  std::string sent;
  const auto send = [&](std::string_view text) {
    c.theirs.send_all(text);
    sent += text;
  };
  send("second");
  let_it_arrive();
  if (brought) co_await some_turns();
  if (more) send("third");
  let_it_arrive();
  c.home.ends = true;
  const std::string begun = co_await next(c.ours, how);
  c.theirs.send_all("what comes later is not a request any more");
  EXPECT_EQ(begun + co_await rest_of(c.ours, how), sent);
}

TEST_P(engine, what_has_arrived_when_a_drain_begins_is_received_and_no_more) {
  for (const by how : {by::receive, by::lease}) {
    for (const bool brought : {false, true}) {
      for (const bool more : {false, true}) {
        for (const bool tcp : {false, true}) {
          connection c(tcp ? tcp_half(on()) : unix_half(on()));
          run(drain(c, how, brought, more));
        }
      }
    }
  }
}

// More than a buffer of the pool, and than what a receive of the ring brings before it is asked.
TEST_P(engine, a_long_request_that_has_arrived_when_a_drain_begins_is_received_whole) {
  struct body {
    static task<> check(connection& c, by how) {
      const std::string message = pattern(100'000);
      c.theirs.set_buffers(400'000, 0);
      c.theirs.send_all("first");
      EXPECT_EQ(co_await next(c.ours, how), "first");
      c.theirs.send_all(message);
      co_await some_turns();
      c.home.ends = true;
      EXPECT_TRUE(co_await rest_of(c.ours, how) == message);
    }
  };
  for (const by how : {by::receive, by::lease}) {
    connection c(unix_half(on()));
    run(body::check(c, how));
  }
}

}  // namespace
}  // namespace iolite_test
