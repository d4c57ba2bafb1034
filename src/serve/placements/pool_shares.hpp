// How the loops of a pool share the connections.
//
// With SO_REUSEPORT the kernel gives each loop those that a hash of the addresses says: of few
// connections one loop may have twice as many as another (bench/pool_balance). So a loop that has
// clearly more than the emptiest one hands what it accepts on to that one: nothing is registered
// yet, it costs one wake-up, and most need none.
#pragma once
#include "iolite/channel.hpp"
#include "kernel/kernel.hpp"

#include <algorithm>
#include <atomic>
#include <deque>

namespace iolite {

class pool_shares {
 public:
  struct newcomer {  // it has its place: connection_table::place::hand_over()
    int fd;
    bool tcp;
  };
  // Of a loop. Any thread.
  struct seat {
    std::atomic<int> live = 0;  // connections it has, and those on their way to it
    channel<newcomer> coming{256};
  };

  pool_shares(kernel& os, std::size_t loops) : os_(os), seats_(loops) {}
  pool_shares(const pool_shares&) = delete;
  pool_shares& operator=(const pool_shares&) = delete;
  // What came to a loop that had ended is closed.
  ~pool_shares() {
    for (seat& s : seats_) {
      while (const auto left = s.coming.try_receive()) os_.close(left->fd);
    }
  }

  [[nodiscard]] seat& operator[](std::size_t loop) noexcept { return seats_[loop]; }

  // False: it is `from`'s own to keep.
  bool hand_on(seat& from, newcomer n) {
    seat& emptiest = *std::ranges::min_element(
        seats_, {}, [](const seat& s) { return s.live.load(std::memory_order_relaxed); });
    const int least = emptiest.live.load(std::memory_order_relaxed);
    if (from.live.load(std::memory_order_relaxed) <= least + 2 + least / 16) return false;
    if (!emptiest.coming.try_send(n)) return false;
    emptiest.live.fetch_add(1, std::memory_order_relaxed);
    return true;
  }

 private:
  kernel& os_;
  std::deque<seat> seats_;
};

}  // namespace iolite
