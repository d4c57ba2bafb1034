// The side of a ring that hands over: fills its queue, one thread for all, and knows what
// io_uring_enter(2) may say.
#pragma once
#include "engines/io_uring/ring.hpp"

#include <cerrno>
#include <cstdint>
#include <optional>

namespace iolite {

// The user_data of what is not an operation's: those are at addresses, and even.
namespace ring_tag {
constexpr std::uint64_t ignored = 0;  // cancels
constexpr std::uint64_t wake = 1;
constexpr std::uint64_t at_once = 2;
constexpr std::uint64_t first_accept = 16;  // that stands
constexpr std::uint64_t addresses = 4096;  // no object lies below
}  // namespace ring_tag

class submitter {
 public:
  // Whose ring it is.
  struct owner {
    // A completion that came in the middle of something, for later.
    virtual void set_aside(const io_uring_cqe& cqe) noexcept = 0;
    // Makes room for those that may come. False: no memory.
    [[nodiscard]] virtual bool make_room() noexcept = 0;
    // Whether a turn comes that submits what waits.
    [[nodiscard]] virtual bool has_turns() const noexcept = 0;

   protected:
    ~owner() = default;
  };
  submitter(ring& r, owner& o) noexcept : ring_(r), owner_(o) {}

  [[nodiscard]] ring& to() const noexcept { return ring_; }
  // Always gives an entry: a full queue is handed over first, and what is done is set aside.
  [[nodiscard]] io_uring_sqe& take(std::uint64_t tag) noexcept;
  // A request that the one with `tag` ends early.
  void ask_to_end(std::uint64_t tag) noexcept;
  // Hands over all that is there and waits for nothing. What has completed may be set aside.
  void submit() noexcept;
  // The same, with the next turn if there is one.
  void submit_soon() noexcept {
    if (!owner_.has_turns()) submit();
  }
  // Hands over, and waits as ring::enter() does.
  void enter(unsigned complete, const timespec* timeout) noexcept;
  // The same, for one completion; sets aside what has come.
  void enter_and_set_aside(const timespec* timeout) noexcept;
  // Of a request that the kernel does without waiting; sets aside what has come. -ENOMEM: there is
  // no room for that.
  template <class Fill>
  int result_at_once(Fill fill) noexcept {
    if (!owner_.make_room()) return -ENOMEM;
    fill(take(ring_tag::at_once));
    at_once_.reset();
    while (!at_once_) enter_and_set_aside(nullptr);
    return *at_once_;
  }
  // The calling thread becomes the ring's: before it registers something.
  void enable() noexcept;

 private:
  void set_aside() noexcept;
  void check(int r) noexcept;

  ring& ring_;
  owner& owner_;
  bool enabled_ = false;
  int failures_ = 0;  // in a row
  std::optional<int> at_once_;  // what result_at_once() waits for
};

}  // namespace iolite
