// Children of a blocking engine: each a thread with an engine of its own.
#include "loops.hpp"

#include <stdexcept>
#include <thread>

namespace interleavings {
namespace {

using iolite::task;

task<void> set(iolite::event& e) {
  e.set();
  co_return;
}
task<void> wait(iolite::event& e, int& seen) {
  const auto waited = co_await e.wait();
  if (waited) ++seen;
}

task<void> parent(int& seen) {
  iolite::event e;
  iolite::detail::bare_scope children;
  children.spawn(wait(e, seen));
  children.spawn(set(e));
  co_await children.join();
}

TEST(Scopes, ChildrenOnThreadsMeetAndEnd) {
  expect_holds({.preemptions = 3, .stale_reads = 0}, [] {
    eventfds os;
    int seen = 0;
    make_engine(os, loop::blocking)->run(parent(seen));
    check(seen == 1, "the child has seen the event");
  });
}

task<void> fail() {
  throw std::runtime_error("as it was told");
  co_return;
}
task<bool> parent_of_failing() {
  iolite::detail::bare_scope children;
  children.spawn(fail());
  try {
    co_await children.join();
  } catch (const std::runtime_error&) {
    co_return true;
  }
  co_return false;
}

TEST(Scopes, WhatAChildThrowsComesOutOfJoin) {
  expect_holds({}, [] {
    eventfds os;
    check(make_engine(os, loop::blocking)->run(parent_of_failing()), "it came out");
  });
}

task<void> wait_in_child(iolite::event& e, int& seen) {
  iolite::detail::bare_scope children;
  children.spawn(wait(e, seen));
  co_await children.join();
}

// The cancel of the parent reaches the child, wherever it is.
TEST(Scopes, ACancelReachesAChild) {
  expect_holds({.preemptions = 2, .stale_reads = 0}, [] {
    eventfds os;
    int seen = 0;
    iolite::event never_set;
    const auto engine = make_engine(os, loop::blocking);
    std::thread cancels([&] { engine->request_cancel(); });
    engine->run(wait_in_child(never_set, seen));
    check(seen == 0, "the wait was cancelled");
    cancels.join();
  });
}

task<void> cancel_child(int& seen) {
  iolite::event never_set;
  iolite::detail::bare_scope children;
  children.spawn(wait(never_set, seen));
  children.cancel();
  co_await children.join();
}

TEST(Scopes, AChildIsCancelledAtOnce) {
  expect_holds({}, [] {
    eventfds os;
    int seen = 0;
    make_engine(os, loop::blocking)->run(cancel_child(seen));
    check(seen == 0, "the wait was cancelled");
  });
}

task<int> number(iolite::event& e) {
  const auto waited = co_await e.wait();
  co_return waited ? 1 : 2;
}

// The value of a child that ends while its parent begins to wait for it.
task<int> await_handle() {
  iolite::event e;
  e.set();
  iolite::detail::bare_scope children;
  auto child = children.spawn(number(e));
  const int n = co_await child;
  co_await children.join();
  co_return n;
}

TEST(Scopes, AHandleGivesTheValueOfAChildOnAThread) {
  expect_holds({.preemptions = 3, .stale_reads = 0}, [] {
    eventfds os;
    check(make_engine(os, loop::blocking)->run(await_handle()) == 1, "the value came");
  });
}

// The handle is dropped, or cancels, while the child ends.
task<void> drop_handle(bool cancel) {
  iolite::event e;
  e.set();
  iolite::detail::bare_scope children;
  {
    auto child = children.spawn(number(e));
    if (cancel) child.cancel();
  }
  co_await children.join();
}

TEST(Scopes, AHandleIsDroppedWhileItsChildEnds) {
  expect_holds({.preemptions = 3, .stale_reads = 0}, [] {
    eventfds os;
    make_engine(os, loop::blocking)->run(drop_handle(false));
  });
}

TEST(Scopes, AHandleCancelsAChildThatEnds) {
  expect_holds({.preemptions = 3, .stale_reads = 0}, [] {
    eventfds os;
    make_engine(os, loop::blocking)->run(drop_handle(true));
  });
}

task<void> await_sibling(iolite::task_handle<int>& other, int& n) { n = co_await other; }
task<int> pass_on() {
  iolite::event e;
  iolite::detail::bare_scope children;
  auto first = children.spawn(number(e));
  int n = 0;
  children.spawn(await_sibling(first, n));
  e.set();
  co_await children.join();
  co_return n;
}

// The sibling that waits has an engine of its own, which ends soon after.
TEST(Scopes, ASiblingAwaitsAHandle) {
  expect_holds({.preemptions = 2, .stale_reads = 0}, [] {
    eventfds os;
    check(make_engine(os, loop::blocking)->run(pass_on()) == 1, "the value came");
  });
}

}  // namespace
}  // namespace interleavings
