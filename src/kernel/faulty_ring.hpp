// The completions of io_urings, made to fail: what a decorator of the kernel has to know of the
// memory that a ring shares with it. See faulty.hpp.
//
// Submissions are read before they are handed over, completions rewritten before their engine sees
// them, in the thread that enters the ring. Nothing is allocated.
#pragma once
#include "kernel/kernel.hpp"

#include <array>
#include <cstdint>
#include <linux/io_uring.h>

namespace iolite {

class faulty_ring {
 public:
  // What is to become of a completion: of which kind of request it is, and which one of that kind.
  class decider {
   public:
    // At most so many bytes may be asked for; 0: as many as it likes.
    virtual unsigned most_bytes(unsigned opcode) noexcept = 0;
    // 0, or the error it fails with.
    virtual int error_of(unsigned opcode) noexcept = 0;

   protected:
    ~decider() = default;
  };

  // After io_uring_setup(2) and mmap(2) through the decorator.
  void made(int fd, const io_uring_params& p) noexcept;
  void mapped(long address, long offset) noexcept;
  void closed() noexcept { *this = {}; }
  [[nodiscard]] int fd() const noexcept { return fd_; }

  // Around io_uring_enter(2).
  void before_enter(decider& d) noexcept;
  void after_enter(decider& d, kernel& below) noexcept;

 private:
  struct request {
    std::uint64_t user_data = 0;
    unsigned opcode = 0;
    bool into_slot = false;  // what it brings becomes a registered file
  };
  static constexpr std::size_t remembered = 256;

  [[nodiscard]] unsigned* word(unsigned offset) const noexcept;
  [[nodiscard]] const request* request_of(std::uint64_t user_data) const noexcept;
  void drop(int accepted, bool slot, kernel& below) const noexcept;

  int fd_ = -1;
  io_uring_params params_{};
  char* rings_ = nullptr;
  io_uring_sqe* sqes_ = nullptr;
  unsigned submissions_seen_ = 0;
  unsigned completions_seen_ = 0;
  std::array<request, remembered> requests_{};  // the last ones, in a ring
  std::size_t requests_seen_ = 0;
};

}  // namespace iolite
