// Channels between engines on different threads: nothing is lost, doubled or left waiting.
#include "loops.hpp"

#include <iolite/channel.hpp>
#include <thread>

namespace interleavings {
namespace {

using iolite::channel;
using iolite::task;

class Channels : public each_loop {};

task<void> send_some(channel<int>& to, int n) {
  for (int i = 1; i <= n; ++i) check((co_await to.send(i)).has_value(), "sent");
  to.close();
}

task<int> receive_all(channel<int>& from) {
  int sum = 0;
  for (;;) {
    const auto got = co_await from.receive();
    if (!got) break;
    check(*got > sum % 10, "in order");
    sum = sum * 10 + *got;
  }
  co_return sum;
}

// A capacity of one: each side waits for the other.
TEST_P(Channels, ValuesArriveInOrderAndTheEndIsSeen) {
  expect_holds({.preemptions = 4, .stale_reads = 0}, [on = GetParam()] {
    eventfds os;
    channel<int> values(1);
    std::thread sender([&] {
      const auto engine = make_engine(os, loop::blocking);
      engine->run(send_some(values, 2));
    });
    const auto engine = make_engine(os, on);
    check(engine->run(receive_all(values)) == 12, "both values, and the end");
    sender.join();
  });
}

task<bool> send_one(channel<int>& to) { co_return (co_await to.send(2)).has_value(); }
task<int> receive_one(channel<int>& from) { co_return (co_await from.receive()).value_or(0); }

// A cancelled receive() has taken nothing.
TEST_P(Channels, ACancelledReceiveHasTakenNothing) {
  expect_holds({.preemptions = 4, .stale_reads = 1}, [on = GetParam()] {
    eventfds os;
    channel<int> values(1);
    const auto engine = make_engine(os, on);
    std::thread sender([&] { check(bool(values.try_send(7)), "there is room"); });
    std::thread cancels([&] { engine->request_cancel(); });
    const int got = engine->run(receive_one(values));
    sender.join();
    cancels.join();
    const auto left = values.try_receive();
    check(got + left.value_or(0) == 7, "taken, or still there");
  });
}

// A cancelled send() has not sent.
TEST_P(Channels, ACancelledSendHasNotSent) {
  expect_holds({.preemptions = 4, .stale_reads = 1}, [on = GetParam()] {
    eventfds os;
    channel<int> values(1);
    check(bool(values.try_send(1)), "there is room");
    const auto engine = make_engine(os, on);
    std::thread receiver([&] { check(values.try_receive() == 1, "the first one"); });
    std::thread cancels([&] { engine->request_cancel(); });
    const bool sent = engine->run(send_one(values));
    receiver.join();
    cancels.join();
    check(values.try_receive().has_value() == sent, "there is what was said to be sent");
  });
}

TEST_P(Channels, ACloseEndsAReceive) {
  expect_holds({}, [on = GetParam()] {
    eventfds os;
    channel<int> values(1);
    const auto engine = make_engine(os, on);
    std::thread other([&] {
      static_cast<void>(values.try_send(3));
      values.close();
    });
    check(engine->run(receive_one(values)) == 3, "what is inside is still received");
    other.join();
  });
}

EXPLORED_ON_EACH_LOOP(Channels);

}  // namespace
}  // namespace interleavings
