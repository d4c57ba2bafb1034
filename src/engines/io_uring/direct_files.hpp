// A ring's own table of open files: its slots are direct descriptors, which take no number of the
// process and no place under RLIMIT_NOFILE. io_uring_register(2), IORING_REGISTER_FILES2; sockets
// get in and out of it by IORING_FILE_INDEX_ALLOC (Linux 5.19) and FIXED_FD_INSTALL (6.8).
//
// The free slots are counted here: a kernel that finds none for an accepted connection drops that
// connection, so an accept is handed over only when there is a slot for what it brings.
#pragma once
#include "core/direct_descriptor.hpp"
#include "engines/io_uring/submitter.hpp"
#include "iolite/core/engine_parts.hpp"

namespace iolite {

class direct_files final : public descriptor_table {
 public:
  direct_files(submitter& by, kernel& os) noexcept : by_(by), os_(os) {}
  // Makes the table: 0, -ENOTSUP where the kernel lacks something, -E2BIG where it is larger than
  // RLIMIT_NOFILE or the kernel allows.
  int open(unsigned slots) noexcept;
  [[nodiscard]] bool is_open() const noexcept { return slots_ > 0; }

  // A slot for what a request brings. False: none is free.
  bool reserve() noexcept {
    if (free_ == 0) return false;
    --free_;
    return true;
  }
  void give_back() noexcept { ++free_; }

  // `fd`, of either kind, is what the request is for.
  static void name(io_uring_sqe& sqe, int fd) noexcept;
  // What the request brings goes into a slot that the kernel chooses.
  static void bring_into_slot(io_uring_sqe& sqe) noexcept;
  int adopt(int fd) noexcept override;
  int expose(int fd) noexcept override;
  bool close(int fd) noexcept override;

 private:
  submitter& by_;
  kernel& os_;
  unsigned slots_ = 0;
  unsigned free_ = 0;  // neither open nor reserved
};

}  // namespace iolite
