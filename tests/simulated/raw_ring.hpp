// Submissions as they come, on the ring of a session: what their completions say is written down.
#pragma once
#include "engines/io_uring/ring.hpp"
#include "session.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <sys/mman.h>

namespace iolite_test {

class raw_ring {
 public:
  explicit raw_ring(session& s, unsigned entries = 16, unsigned flags = IORING_SETUP_CLAMP);

  // A cleared entry; `name` is its user_data.
  io_uring_sqe& next(std::uint64_t name, std::uint8_t opcode, int fd = -1);
  io_uring_sqe& receive(std::uint64_t name, int fd, std::span<char> into);
  io_uring_sqe& send(std::uint64_t name, int fd, std::string_view bytes);
  // `length` from now, as the address a time-out wants.
  io_uring_sqe& time_out(std::uint64_t name, std::uint8_t opcode, std::chrono::nanoseconds length);
  void cancel(std::uint64_t name, std::uint64_t whom, unsigned flags = 0, int fd = -1);
  // io_uring_register(2); what it gives is written down.
  void configure(unsigned operation, const void* argument, unsigned count);
  void submit();
  // The same, and waits for so many completions, a second at most.
  void submit_and_wait(unsigned completions);
  // The completions that are there.
  [[nodiscard]] std::map<std::uint64_t, int> take_now();
  // Hands over, waits for so many completions, and writes them down by name; then there are none.
  // What kernels differ in is left out: of the flags MORE, BUFFER and BUF_MORE are told.
  void expect(unsigned completions);
  // The same, but of each request only its last completion, and the sum of what the others gave.
  [[nodiscard]] std::map<std::uint64_t, std::vector<io_uring_cqe>> take(unsigned completions);
  // Lends `count` buffers of `bytes` to group 1. `flags`: ring_buffers_incremental.
  void lend(unsigned count, unsigned bytes, std::uint16_t flags = 0);
  [[nodiscard]] std::string lent(unsigned id, std::size_t bytes) const;
  [[nodiscard]] bool overflown() const noexcept { return ring_.overflown(); }

 private:
  struct page {
    explicit page(iolite::kernel& k);
    page(const page&) = delete;
    page& operator=(const page&) = delete;
    ~page();
    iolite::kernel& os;
    void* at = nullptr;
  };
  session& s_;
  iolite::ring ring_;
  page buffer_ring_;
  std::string buffers_;
  unsigned buffer_bytes_ = 0;
  std::vector<std::unique_ptr<__kernel_timespec>> times_;
};

// Empty: this machine has rings as Linux `major`.`minor` has them. Else why not.
[[nodiscard]] std::string why_no_ring_of(int major, int minor);

}  // namespace iolite_test
