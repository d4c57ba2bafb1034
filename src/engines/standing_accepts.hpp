// Accepts that stand: one submission brings connection after connection.
// io_uring_prep_multishot_accept(3), Linux 5.19.
//
// For a listener that is asked again and again. Connections that come between two asks wait here;
// once nobody asks, it is ended before the loop sleeps, so that newcomers wait in the listener's
// own queue, where another process may take them.
#pragma once
#include "engines/ring.hpp"
#include "iolite/operation.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace iolite {

class standing_accepts {
 public:
  // One listener. Its completions carry tag().
  struct listening {
    int fd = -1;  // -1: unused
    operation* asks = nullptr;
    bool stands = false;  // the kernel has it
    bool ending = false;  // a cancel is on its way
    int asked = 0;  // since it last ended for want of interest
    int failed = 0;  // what it ended with, to be told to the next that asks
    unsigned first = 0, last = 0;  // of those that have come, modulo room
    std::unique_ptr<int[]> came;
    [[nodiscard]] bool has_news() const noexcept { return first != last || failed != 0; }
  };
  // Above the tags of the engine, below every address.
  static constexpr std::uint64_t first_tag = 16;

  [[nodiscard]] static bool is_tag(std::uint64_t tag) noexcept {
    return tag >= first_tag && tag < first_tag + most;
  }
  [[nodiscard]] std::uint64_t tag(const listening& l) const noexcept {
    return first_tag + static_cast<std::uint64_t>(&l - all_.data());
  }
  [[nodiscard]] listening& of_tag(std::uint64_t tag) noexcept { return all_[tag - first_tag]; }

  // The one to stand for `op`; null: it is accepted for by itself.
  [[nodiscard]] listening* find(const operation& op) noexcept;
  [[nodiscard]] listening* find(int fd) noexcept;
  template <class Visit>
  void each(Visit visit) noexcept {
    for (listening& l : std::span(all_).first(used_))
      if (l.fd >= 0) visit(l);
  }

  // A connection, or -errno, has come; `more`: it stands still.
  void note(kernel& os, listening& l, int result, bool more) noexcept;
  // Whether anything was noted since it was last asked: who asks is to be looked at.
  [[nodiscard]] bool has_news() const noexcept { return news_; }
  bool use_news() noexcept { return std::exchange(news_, false); }
  // The oldest that has come, or -EAGAIN.
  [[nodiscard]] static int take(listening& l) noexcept;
  // Its listener is closed, and so are those that have come.
  static void forget(kernel& os, listening& l) noexcept;
  static void fill(io_uring_sqe& sqe, const listening& l) noexcept;

 private:
  static constexpr std::size_t most = 16;  // listeners; the others are accepted for one by one
  static constexpr unsigned room = 4096;  // that have come: as many as a listener's queue holds
  static constexpr int often = 4;

  std::array<listening, most> all_;
  std::size_t used_ = 0;
  bool news_ = false;
  bool known_ = true;  // to this kernel
};

}  // namespace iolite
