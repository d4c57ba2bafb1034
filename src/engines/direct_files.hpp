// A ring's own table of open files: its slots are direct descriptors, which take no number of the
// process and no place under RLIMIT_NOFILE. io_uring_register(2), IORING_REGISTER_FILES2; sockets
// get in and out of it by IORING_FILE_INDEX_ALLOC (Linux 5.19) and FIXED_FD_INSTALL (6.8).
//
// The free slots are counted here: a kernel that finds none for an accepted connection drops that
// connection, so an accept is handed over only when there is a slot for what it brings.
#pragma once
#include "core/direct_descriptor.hpp"
#include "engines/ring.hpp"

#include <cerrno>

namespace iolite {

class direct_files {
 public:
  // Makes the table: 0, -ENOTSUP where the kernel lacks something, -E2BIG where it is larger than
  // RLIMIT_NOFILE or the kernel allows.
  int open(ring& r, unsigned slots) noexcept;
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
  // Moves the ordinary `fd` into a slot: its number, or -errno and nothing has changed. `ask` gives
  // the result of a request that it is to fill.
  template <class Ask>
  int adopt(kernel& os, int fd, Ask ask) noexcept {
    if (!reserve()) return -ENFILE;
    int number = fd;
    const int r = ask([&](io_uring_sqe& sqe) { fill_adopt(sqe, &number); });
    if (r < 1) return give_back(), r < 0 ? r : -EIO;
    os.close(fd);
    return direct::number_of(number);
  }
  // Gives the number of an ordinary descriptor for the same file, close-on-exec.
  static void fill_expose(io_uring_sqe& sqe, int direct) noexcept;
  static void fill_close(io_uring_sqe& sqe, int direct) noexcept;

 private:
  // `ordinary` goes into a slot, and its number is written over by that of the slot.
  static void fill_adopt(io_uring_sqe& sqe, int* ordinary) noexcept;

  unsigned slots_ = 0;
  unsigned free_ = 0;  // neither open nor reserved
};

}  // namespace iolite
