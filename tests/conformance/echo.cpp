// The bytes that come back are the bytes that were sent: all sizes, all ways to receive.
#include "support/engine_test.hpp"

#include "kernel/faulty.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

// A plain client on a thread sends `size` bytes and ends; what comes back is compared.
void expect_echo(iolite::engine& on, half_pair pair, std::size_t size, task<> (*handler)(stream)) {
  const std::string sent = pattern(size);
  std::string received;
  other_thread writer([&] {
    pair.theirs.send_all(sent);
    pair.theirs.half_close();
  });
  other_thread reader([&] { received = pair.theirs.recv_until_end(); });
  on.run(handler(std::move(pair.ours)));
  writer.join();
  reader.join();
  EXPECT_EQ(received.size(), sent.size());
  EXPECT_TRUE(received == sent) << "bytes differ";
}

TEST_P(engine, echo_of_nothing_is_the_end_of_the_stream) {
  expect_echo(on(), tcp_half(on()), 0, echo);
}
TEST_P(engine, echo_of_one_byte) { expect_echo(on(), tcp_half(on()), 1, echo); }
TEST_P(engine, echo_of_64_bytes_over_unix) { expect_echo(on(), unix_half(on()), 64, echo); }
TEST_P(engine, echo_of_the_size_of_the_buffer) { expect_echo(on(), tcp_half(on()), 16384, echo); }
TEST_P(engine, echo_of_one_more_than_the_buffer) { expect_echo(on(), tcp_half(on()), 16385, echo); }
TEST_P(engine, echo_of_1_mib_is_byte_exact) { expect_echo(on(), tcp_half(on()), 1 << 20, echo); }
TEST_P(engine, echo_of_1_mib_over_unix_is_byte_exact) {
  expect_echo(on(), unix_half(on()), 1 << 20, echo);
}
TEST_P(engine, echo_of_64_mib_is_byte_exact) { expect_echo(on(), tcp_half(on()), 64 << 20, echo); }
TEST_P(engine, echo_of_1_mib_by_leases_is_byte_exact) {
  expect_echo(on(), tcp_half(on()), 1 << 20, echo_leases);
}
TEST_P(engine, echo_of_1_mib_by_leases_over_unix_is_byte_exact) {
  expect_echo(on(), unix_half(on()), 1 << 20, echo_leases);
}

TEST_P(engine, echo_of_every_size_up_to_300_bytes) {
  half_pair pair = tcp_half(on());
  other_thread client([&theirs = pair.theirs] {
    for (std::size_t n = 1; n <= 300; ++n) {
      const std::string sent = pattern(n, static_cast<unsigned>(n));
      theirs.send_all(sent);
      EXPECT_EQ(theirs.recv_exactly(n), sent) << n << " bytes";
    }
    theirs.half_close();
  });
  run(echo(std::move(pair.ours)));
  client.join();
}

TEST_P(engine, echo_through_tiny_socket_buffers) {
  raw_pair p = raw_tcp_pair();
  p.a.set_buffers(4608, 4608);
  p.b.set_buffers(4608, 4608);
  expect_echo(on(), {adopt(on(), std::move(p.a), true), std::move(p.b)}, 60'000, echo);
}

TEST_P(engine, echo_when_every_receive_and_send_is_shortened_to_one_byte) {
  faulty& os = on_faulty({{.what = call::recv, .times = fault::for_ever, .shorten_to = 1},
                          {.what = call::send, .times = fault::for_ever, .shorten_to = 1},
                          {.what = call::read, .times = fault::for_ever, .shorten_to = 8},
                          {.what = call::write, .times = fault::for_ever, .shorten_to = 8}});
  expect_echo(on(), unix_half(on()), 5000, echo);
  if (os.calls(call::recv) > 0) {
    EXPECT_GT(os.injected(), 0U);
  }
}

TEST_P(engine, echo_when_receives_and_sends_are_interrupted_now_and_then) {
  std::vector<fault> plan;
  for (std::uint64_t nth = 1; nth < 400; nth += 5) {
    plan.push_back({.what = call::recv, .nth = nth, .times = 1 + nth % 3, .error = EINTR});
    plan.push_back({.what = call::send, .nth = nth + 1, .times = 1 + nth % 2, .error = EINTR});
  }
  faulty& os = on_faulty(std::move(plan));
  expect_echo(on(), unix_half(on()), 200'000, echo);
  if (os.calls(call::recv) > 0) {
    EXPECT_GT(os.injected(), 0U);
  }
}

// As many as it likes wait at once: the length of a queue of submissions is not their number.
TEST_P(engine, echo_to_many_through_a_queue_of_four) {
  const auto narrow = new_engine(system_of_test(), GetParam(), {.ring_entries = 4});
  std::vector<half_pair> pairs;
  for (int i = 0; i < 30; ++i) pairs.push_back(unix_half(*narrow));
  struct bodies {
    static task<> all(std::vector<half_pair>& pairs) {
      scope s;
      for (half_pair& p : pairs) s.spawn(echo(std::move(p.ours)));
      co_await s.join();
    }
  };
  other_thread client([&] {
    for (std::size_t round = 0; round < 3; ++round) {
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        pairs[i].theirs.send_all(pattern(100 + i, static_cast<unsigned>(i + round)));
      }
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        EXPECT_EQ(pairs[i].theirs.recv_exactly(100 + i),
                  pattern(100 + i, static_cast<unsigned>(i + round)));
      }
    }
    for (const half_pair& p : pairs) p.theirs.half_close();
  });
  narrow->run(bodies::all(pairs));
  client.join();
}

TEST_P(engine, echo_between_two_tasks_of_one_engine) {
  struct bodies {
    static task<> client(stream peer, std::string& received) {
      for (int i = 0; i < 1000; ++i) {
        const std::string message = "message " + std::to_string(i) + "\n";
        const auto sent = co_await send_text(peer, message);
        EXPECT_TRUE(sent);
        const auto got = co_await receive_exactly(peer, message.size());
        if (!got) co_return;
        EXPECT_EQ(*got, message);
        received += *got;
      }
    }
    static task<> both(stream_pair pair, std::string& received) {
      scope children;
      children.spawn(echo(std::move(pair.a)));
      children.spawn(client(std::move(pair.b), received));
      co_await children.join();
    }
  };
  std::string received;
  run(bodies::both(unix_streams(on()), received));
  EXPECT_EQ(std::count(received.begin(), received.end(), '\n'), 1000);
}

}  // namespace
}  // namespace iolite_test
