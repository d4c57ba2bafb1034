// Accepts that stand: one submission brings connection after connection.
// io_uring_prep_multishot_accept(3), Linux 5.19.
//
// For a listener that is asked again and again. Connections that come between two asks wait here;
// once nobody asks, it is ended before the loop sleeps, so that newcomers wait in the listener's
// own queue, where another process may take them.
#pragma once
#include "engines/io_uring/multishot/multishot_request.hpp"
#include "iolite/core/engine.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace iolite {

class multishot_accepts {
 public:
  multishot_accepts(submitter& by, kernel& os) noexcept : by_(by), os_(os) {}

  // Nothing: it needs a submission of its own. What waits here comes out of next().
  [[nodiscard]] std::optional<engine::started> start(operation& op) noexcept;
  // False: it does not wait here.
  [[nodiscard]] bool cancel(const operation& op) noexcept;
  // False: it is for something else.
  bool note(const io_uring_cqe& cqe) noexcept;
  // Whether anything was noted since next() gave null.
  [[nodiscard]] bool has_news() const noexcept { return news_; }
  // One that waits no more and is to be started again; null: none.
  [[nodiscard]] operation* next() noexcept;
  // Before the loop sleeps: those that nobody asks.
  void end_unasked() noexcept;
  void end_all() noexcept;
  // What comes to `fd` from now on stays in its queue until it is asked for. True: something has
  // come already.
  bool stop(int fd) noexcept;
  // Its listener is closed, and so are the connections that have come.
  void forget(int fd) noexcept;

 private:
  // One listener. Its completions carry tag().
  struct listening : multishot_request {
    int fd = -1;  // -1: unused
    int asked = 0;  // since it last ended for want of interest
    bool one_by_one = false;  // from now on
    int failed = 0;  // what it ended with, to be told to the next that asks
    unsigned first = 0, last = 0;  // of those that have come, modulo room
    std::unique_ptr<int[]> came;
    [[nodiscard]] bool has_come() const noexcept { return first != last || failed != 0; }
  };
  static constexpr std::size_t most = 16;  // listeners; the others are accepted for one by one
  static constexpr unsigned room = 4096;  // that have come: as many as a listener's queue holds
  static constexpr int often = 4;

  [[nodiscard]] std::uint64_t tag(const listening& l) const noexcept {
    return ring_tag::first_accept + static_cast<std::uint64_t>(&l - all_.data());
  }
  [[nodiscard]] listening* find(int fd) noexcept;
  [[nodiscard]] listening* find_or_make(int fd) noexcept;
  [[nodiscard]] std::span<listening> used() noexcept { return std::span(all_).first(used_); }
  [[nodiscard]] static int take(listening& l) noexcept;
  void submit(listening& l) noexcept;

  submitter& by_;
  kernel& os_;
  std::array<listening, most> all_;
  std::size_t used_ = 0;
  bool news_ = false;
  bool known_ = true;  // to this kernel
};

}  // namespace iolite
