// The checker finds what it is there for: small programs with a known fault, and their cures.
#include "explore.hpp"

#include <atomic>
#include <condition_variable>
#include <gtest/gtest.h>
#include <memory>
#include <mutex>
#include <thread>

namespace {

using interleavings::check;
using interleavings::expect_found;
using interleavings::expect_holds;

constexpr interleavings::limits bound{};

// Two threads and what they do with one `Shared`; then end() looks at it.
template <class Shared>
void two_threads(void (*a)(Shared&), void (*b)(Shared&), void (*end)(Shared&)) {
  Shared shared;
  std::thread one([&] { a(shared); });
  std::thread two([&] { b(shared); });
  one.join();
  two.join();
  end(shared);
}

struct pair {
  std::atomic<int> x = 0, y = 0;
  int seen_x = -1, seen_y = -1;
};

template <std::memory_order Store, std::memory_order Load>
void store_buffering() {
  two_threads<pair>(
      [](pair& p) {
        p.x.store(1, Store);
        p.seen_y = p.y.load(Load);
      },
      [](pair& p) {
        p.y.store(1, Store);
        p.seen_x = p.x.load(Load);
      },
      [](pair& p) { check(p.seen_x + p.seen_y > 0, "both read the old value"); });
}

TEST(Checker, FindsStoreBufferingWithoutSeqCst) {
  expect_found(bound, "both read the old value",
               store_buffering<std::memory_order_release, std::memory_order_acquire>);
  expect_found(bound, "both read the old value",
               store_buffering<std::memory_order_seq_cst, std::memory_order_relaxed>);
}
TEST(Checker, SeqCstHasNoStoreBuffering) {
  expect_holds(bound, store_buffering<std::memory_order_seq_cst, std::memory_order_seq_cst>);
}

template <std::memory_order Order>
void two_plus_two_writes() {
  two_threads<pair>(
      [](pair& p) {
        p.x.store(1, Order);
        p.y.store(2, Order);
      },
      [](pair& p) {
        p.y.store(1, Order);
        p.x.store(2, Order);
      },
      [](pair& p) { check(p.x.load() == 2 || p.y.load() == 2, "both first stores came last"); });
}

TEST(Checker, FindsStoresThatBecomeVisibleInAnotherOrder) {
  expect_found(bound, "both first stores came last",
               two_plus_two_writes<std::memory_order_relaxed>);
}
TEST(Checker, SeqCstStoresBecomeVisibleInTheirOrder) {
  expect_holds(bound, two_plus_two_writes<std::memory_order_seq_cst>);
}

struct message {
  int data = 0;
  std::atomic<bool> sent = false;
};

template <std::memory_order Store, std::memory_order Load>
void message_passing() {
  two_threads<message>(
      [](message& m) {
        m.data = 1;
        m.sent.store(true, Store);
      },
      [](message& m) {
        if (m.sent.load(Load)) check(m.data == 1, "a message without its data");
      },
      [](message&) {});
}

TEST(Checker, FindsAMessageThatIsNotReleased) {
  expect_found(bound, "data race",
               message_passing<std::memory_order_relaxed, std::memory_order_acquire>);
}
TEST(Checker, FindsAMessageThatIsNotAcquired) {
  expect_found(bound, "data race",
               message_passing<std::memory_order_release, std::memory_order_relaxed>);
}
TEST(Checker, ReleasedAndAcquiredIsEnough) {
  expect_holds(bound, message_passing<std::memory_order_release, std::memory_order_acquire>);
}

// A flag and a wait for it, as an engine has: who wakes says so only once.
struct sleeper {
  std::atomic<bool> woken = false;
  std::atomic<int> work = 0;
  std::mutex lock;
  std::condition_variable came;
  int signals = 0;

  void post() {
    work.fetch_add(1);
    if (woken.exchange(true)) return;
    const std::lock_guard hold(lock);
    ++signals;
    came.notify_one();
  }
  void wait() {
    std::unique_lock hold(lock);
    came.wait(hold, [this] { return signals > 0; });
    signals = 0;
  }
};

template <bool ClearsFirst>
void sleeping() {
  sleeper s;
  std::thread other([&] {
    s.post();
    s.post();
  });
  for (int done = 0; done < 2;) {
    if (ClearsFirst) s.woken.exchange(false);
    done += s.work.exchange(0);
    if (!ClearsFirst) s.woken.exchange(false);
    if (done < 2) s.wait();
  }
  other.join();
}

// The same, cleared by a store: it may become visible after the look, and then whoever posts finds
// the flag still set.
template <std::memory_order Cleared>
void sleeping_after_a_store() {
  sleeper s;
  std::thread other([&] {
    s.post();
    s.post();
  });
  for (int done = 0; done < 2;) {
    s.woken.store(false, Cleared);
    done += s.work.exchange(0, std::memory_order_acquire);
    if (done < 2) s.wait();
  }
  other.join();
}

TEST(Checker, FindsALateStore) {
  expect_found(bound, "dead-lock", sleeping_after_a_store<std::memory_order_release>);
  expect_found(bound, "dead-lock", sleeping_after_a_store<std::memory_order_relaxed>);
}
TEST(Checker, ASeqCstStoreIsNotLate) {
  expect_holds(bound, sleeping_after_a_store<std::memory_order_seq_cst>);
}
TEST(Checker, FindsALostWake) { expect_found(bound, "dead-lock", sleeping<false>); }
TEST(Checker, AWakeThatIsClearedBeforeTheLookIsNotLost) { expect_holds(bound, sleeping<true>); }

struct job {
  std::atomic<bool> finished = false;
  std::atomic<int> times = 0;
};

void finish_carelessly(job& j) {
  if (j.finished.load()) return;
  j.finished.store(true);
  ++j.times;
}
void finish_once(job& j) {
  if (!j.finished.exchange(true)) ++j.times;
}
void must_be_once(job& j) { check(j.times == 1, "finished twice"); }

TEST(Checker, FindsADoubleFinish) {
  expect_found(bound, "finished twice",
               [] { two_threads<job>(finish_carelessly, finish_carelessly, must_be_once); });
}
TEST(Checker, AnExchangeFinishesOnce) {
  expect_holds(bound, [] { two_threads<job>(finish_once, finish_once, must_be_once); });
}

struct account {
  std::mutex lock;
  int money = 1;

  int look() {
    const std::lock_guard hold(lock);
    return money;
  }
  void take() {
    const std::lock_guard hold(lock);
    --money;
  }
};

TEST(Checker, FindsACheckThatIsNotOneWithItsAct) {
  const auto spend = [](account& a) {
    if (a.look() > 0) a.take();
  };
  expect_found(bound, "overdrawn", [&] {
    two_threads<account>(spend, spend, [](account& a) { check(a.money >= 0, "overdrawn"); });
  });
}

TEST(Checker, FindsADataRace) {
  expect_found(bound, "data race",
               [] { two_threads<int>([](int& n) { ++n; }, [](int& n) { ++n; }, [](int&) {}); });
}

TEST(Checker, FindsADeadLockOfTwoMutexes) {
  struct two {
    std::mutex a, b;
  };
  expect_found(bound, "dead-lock", [] {
    two_threads<two>(
        [](two& t) {
          const std::lock_guard first(t.a);
          const std::lock_guard second(t.b);
        },
        [](two& t) {
          const std::lock_guard first(t.b);
          const std::lock_guard second(t.a);
        },
        [](two&) {});
  });
}

struct notice {
  std::atomic<bool> done = false;
  std::atomic<int> after = 0;
};

// The owner is told, and gives the memory back while the other is not done with it.
TEST(Checker, FindsAnEndThatComesTooEarly) {
  expect_found(bound, "data race", [] {
    auto n = std::make_unique<notice>();
    std::thread other([p = n.get()] {
      p->done.store(true);
      p->after.fetch_add(1);
    });
    if (n->done.load()) n.reset();
    other.join();
  });
}

TEST(Checker, FindsAUseAfterTheEnd) {
  expect_found(bound, "use after the end", [] {
    std::atomic<bool> gone = false;
    auto n = std::make_unique<notice>();
    std::thread other([&, p = n.get()] {
      if (gone.load()) p->after.fetch_add(1);
    });
    n.reset();
    gone.store(true);
    other.join();
  });
}

// Three changes of turn are needed, and two are not enough.
TEST(Checker, TheBoundIsWhatItSays) {
  struct steps {
    std::atomic<int> at = 0;
    void go(int from) {
      int expected = from;
      at.compare_exchange_strong(expected, from + 1);
    }
  };
  const auto program = [] {
    two_threads<steps>(
        [](steps& s) {
          s.go(0);
          s.go(2);
          s.go(4);
        },
        [](steps& s) {
          s.go(1);
          s.go(3);
        },
        [](steps& s) { check(s.at < 5, "they have met"); });
  };
  expect_holds({.preemptions = 2}, program);
  expect_found({.preemptions = 3}, "they have met", program);
}

}  // namespace
