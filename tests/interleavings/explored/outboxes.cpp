// An outbox between threads: what one thread sends, the engine of another one delivers.
#include "loops.hpp"

#include <iolite/outbox.hpp>
#include <thread>

namespace interleavings {
namespace {

using iolite::message;
using iolite::outbox;
using iolite::task;

class Outboxes : public each_loop {};

task<bool> deliver(outbox& from, iolite::engine& on, int fd) {
  iolite::stream to(on, fd, false);
  co_return (co_await from.deliver_to(to)).has_value();
}

// Both are on their way when it is closed, or it is closed meanwhile: they arrive, and it ends.
TEST_P(Outboxes, WhatAThreadSendsIsDeliveredThenTheDeliveryEnds) {
  expect_holds({.preemptions = 3, .stale_reads = 1}, [on = GetParam()] {
    eventfds os;
    const auto engine = make_engine(os, on);
    outbox box(2);
    std::thread sender([&] {
      check(bool(box.try_send(message("one"))), "there is room");
      check(bool(box.try_send(message("three"))), "there is room for two");
      box.close();
    });
    check(engine->run(deliver(box, *engine, os.sink())), "it ends well");
    check(os.sunk() == 8, "all bytes were sent");
    sender.join();
  });
}

// Whoever sees the end of the delivery may end the outbox and the engine.
TEST_P(Outboxes, TheOutboxGoesOnceItsDeliveryHasEnded) {
  expect_holds({.preemptions = 4, .stale_reads = 1}, [on = GetParam()] {
    eventfds os;
    auto engine = make_engine(os, on);
    auto box = std::make_unique<outbox>(1);
    std::thread closes([p = box.get()] { p->close(); });
    check(engine->run(deliver(*box, *engine, os.sink())), "it ends well");
    box.reset();
    engine.reset();
    closes.join();
  });
}

// A message that is taken is sent, unless the delivery is cancelled; it is freed in any case.
TEST_P(Outboxes, ACancelMeetsAMessage) {
  expect_holds({.preemptions = 2, .stale_reads = 1}, [on = GetParam()] {
    eventfds os;
    const auto engine = make_engine(os, on);
    outbox box(1);
    std::thread sends([&] { static_cast<void>(box.try_send(message("one"))); });
    std::thread cancels([&] { engine->request_cancel(); });
    check(!engine->run(deliver(box, *engine, os.sink())), "it was cancelled");
    check(box.closed(), "and the outbox is closed");
    check(os.sunk() == 0 || os.sunk() == 3, "whole messages");
    sends.join();
    cancels.join();
  });
}

task<bool> send_one(outbox& to) { co_return (co_await to.send(message("x"))).has_value(); }

// A full outbox: the sender waits on its own engine until the delivery has made room.
TEST_P(Outboxes, ASenderThatWaitsForRoomIsToldOfIt) {
  expect_holds({.preemptions = 2, .stale_reads = 0}, [on = GetParam()] {
    eventfds os;
    const auto engine = make_engine(os, on);
    outbox box(1);
    check(bool(box.try_send(message("first"))), "there is room for one");
    std::thread sender([&] {
      const auto own = make_engine(os, loop::blocking);
      check(own->run(send_one(box)), "there is room in the end");
      box.close();
    });
    check(engine->run(deliver(box, *engine, os.sink())), "it ends well");
    check(os.sunk() == 6, "both were sent");
    sender.join();
  });
}

EXPLORED_ON_EACH_LOOP(Outboxes);

}  // namespace
}  // namespace interleavings
