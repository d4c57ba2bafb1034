// Receives that stand: one submission brings message after message, into buffers of the pool.
// io_uring_prep_recv_multishot(3), Linux 6.0.
//
// A receive that finds its data there is cheapest by itself. One that has to wait arms a poll
// inside the kernel and takes it away again, each time; one that stands does not. So it is observed
// for each connection: after some in a row that had to wait one stands for so many messages, then
// they go by themselves and are observed once more.
//
// What comes between two asks stays here, in its buffers. It is never much: a receive of which much
// is unread is ended, and all that nobody asks are where many parts are, each of which may keep a
// buffer from the others.
#pragma once
#include "engines/io_uring/buffer_ring.hpp"
#include "engines/io_uring/multishot/multishot_request.hpp"
#include "engines/slot_table.hpp"
#include "iolite/core/engine_options.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace iolite {

class multishot_receives {
 public:
  multishot_receives(submitter& by, engine& on, engine_stats& counts,
                     engine_options::receiving how) noexcept
      : by_(by), leased_(by, on, buffer_ring::multishot), on_(on), counts_(counts), how_(how) {}

  // A receive, or one that waits for a descriptor. Nothing: it goes by itself, and is observed. Who
  // waits here comes out of next().
  [[nodiscard]] std::optional<engine::started> start(operation& op) noexcept;
  // How a receive that waits here ends. Nothing: it does not.
  [[nodiscard]] std::optional<int> cancel(operation& op) noexcept;
  // False: it is for something else.
  bool note(const io_uring_cqe& cqe) noexcept;
  [[nodiscard]] bool has_news() const noexcept { return news_ != 0; }
  // One that waits no more and is to be started again; null: none.
  [[nodiscard]] operation* next() noexcept;
  // What comes for `fd` from now on stays in the kernel until it is asked for. True: something has
  // come already.
  bool stop(int fd) noexcept;
  // Bytes that have come for `fd` and that no operation has received yet.
  [[nodiscard]] std::size_t unread(int fd) noexcept;
  void end_all() noexcept;
  // It is closed, and what has come is dropped.
  void forget(int fd) noexcept;
  void close() noexcept;

  // --- those that go by themselves ---
  void begin_turn() noexcept;
  void handed_over(const operation& op) noexcept;
  void came_back(const operation& op) noexcept;

 private:
  // One connection.
  struct receiving : multishot_request {
    std::uint32_t first = 0, last = 0;  // parts that have come; 0: none
    std::uint32_t skipped = 0;  // bytes of the first, taken already
    std::uint32_t unread = 0;  // bytes of all of them
    int fd = -1;  // -1: closed, or unused
    int result = 0;  // of the end
    std::uint16_t left = 0;  // messages until it is ended
    std::uint16_t number = 0, next_free = 0, next_news = 0;
    bool over = false;  // the stream has ended, or is broken
    bool told = false;  // among those with news
    [[nodiscard]] bool has_come() const noexcept { return first != 0 || over; }
  };
  // What is known of a descriptor.
  struct observed {
    std::uint16_t number = 0;  // of its record; 0: none
    std::uint8_t waited = 0;  // in a row, by themselves
    std::uint8_t turn = 0;  // in which the last was handed over
  };
  // Of a buffer of the pool.
  struct part {
    std::uint32_t at, bytes, next;
  };

  // An odd number, above all others that are.
  static bool is_tag(std::uint64_t tag) noexcept {
    return (tag & 1) != 0 && tag >= ring_tag::addresses;
  }
  static std::uint64_t tag(const receiving& r) noexcept {
    return reinterpret_cast<std::uint64_t>(&r) | 1;
  }
  static receiving* of_tag(std::uint64_t tag) noexcept {
    return reinterpret_cast<receiving*>(tag & ~std::uint64_t{1});
  }
  [[nodiscard]] observed* find_observed(int fd) noexcept;
  [[nodiscard]] observed* observe(int fd) noexcept;
  [[nodiscard]] receiving* find(int fd) noexcept;
  [[nodiscard]] receiving* find_or_make(int fd) noexcept;
  [[nodiscard]] bool submit(receiving& r) noexcept;
  void add(receiving& r, const std::byte* at, std::uint32_t bytes) noexcept;
  int take(receiving& r, operation& op) noexcept;
  void take_off(receiving& r) noexcept;
  void drop(receiving& r) noexcept;
  void end_unasked() noexcept;
  void recycle(receiving& r) noexcept;
  template <class Visit>
  void each(Visit visit) noexcept {
    for (int i = 1; i < used_; ++i) visit(records_[i]);
  }

  submitter& by_;
  buffer_ring leased_;
  engine& on_;
  engine_stats& counts_;
  engine_options::receiving how_;
  std::array<slot_table<observed>, 2> observed_;  // of ordinary descriptors, and of direct ones
  slot_table<receiving> records_;  // the first is not used
  std::vector<part> parts_;  // likewise
  std::uint32_t free_part_ = 0, unread_parts_ = 0;
  std::uint32_t stand_ = 0;  // with the kernel
  std::uint16_t used_ = 1, free_ = 0, news_ = 0, last_news_ = 0;
  std::uint8_t turn_ = 0;
  bool known_ = true;  // to this kernel
};

}  // namespace iolite
