// See direct_files.hpp.
#include "engines/io_uring/direct_files.hpp"

#include "kernel/ring_names.hpp"

#include <array>
#include <cerrno>
#include <cstring>

namespace iolite {
namespace {

// IORING_REGISTER_PROBE, Linux 5.6.
bool has_operation(ring& r, std::uint8_t opcode) noexcept {
  constexpr unsigned most = 256;
  alignas(io_uring_probe)
      std::array<char, sizeof(io_uring_probe) + most * sizeof(io_uring_probe_op)>
          memory{};
  if (r.register_with(IORING_REGISTER_PROBE, memory.data(), most) < 0) return false;
  io_uring_probe_op found{};
  std::memcpy(&found, memory.data() + sizeof(io_uring_probe) + opcode * sizeof found, sizeof found);
  return found.op == opcode && (found.flags & IO_URING_OP_SUPPORTED) != 0;
}

}  // namespace

int direct_files::open(unsigned slots) noexcept {
  ring& r = by_.to();
  constexpr unsigned most = 1U << 20;  // IORING_MAX_FIXED_FILES
  if (slots > most) return -E2BIG;
  if (!has_operation(r, ring_op_fixed_fd_install)) return -ENOTSUP;
  io_uring_rsrc_register table{};
  table.nr = slots;
  table.flags = IORING_RSRC_REGISTER_SPARSE;
  const int made = r.register_with(IORING_REGISTER_FILES2, &table, sizeof table);
  if (made == -EMFILE) return -E2BIG;
  if (made < 0) return made == -EINVAL ? -ENOTSUP : made;
  slots_ = slots;
  free_ = slots;
  return 0;
}

void direct_files::name(io_uring_sqe& sqe, int fd) noexcept {
  sqe.fd = direct::is(fd) ? direct::slot_of(fd) : fd;
  if (direct::is(fd)) sqe.flags |= IOSQE_FIXED_FILE;
}

void direct_files::bring_into_slot(io_uring_sqe& sqe) noexcept {
  sqe.file_index = IORING_FILE_INDEX_ALLOC;
}

// The number of the ordinary one is written over by that of its slot.
int direct_files::adopt(int fd) noexcept {
  if (!is_open()) return fd;
  if (!reserve()) return -ENFILE;
  int number = fd;
  const int r = by_.result_at_once([&](io_uring_sqe& sqe) {
    sqe.opcode = IORING_OP_FILES_UPDATE;
    sqe.fd = -1;
    sqe.addr = reinterpret_cast<std::uint64_t>(&number);
    sqe.len = 1;
    sqe.off = IORING_FILE_INDEX_ALLOC;
  });
  if (r < 1) return give_back(), r < 0 ? r : -EIO;
  os_.close(fd);
  return direct::number_of(number);
}

// Close-on-exec.
int direct_files::expose(int fd) noexcept {
  if (!direct::is(fd)) return fd;
  return by_.result_at_once([fd](io_uring_sqe& sqe) {
    sqe.opcode = ring_op_fixed_fd_install;
    name(sqe, fd);
  });
}

// Behind what names the slot, before what is brought into it.
bool direct_files::close(int fd) noexcept {
  if (!direct::is(fd)) return false;
  io_uring_sqe& sqe = by_.take(ring_tag::ignored);
  sqe.opcode = IORING_OP_CLOSE;
  sqe.file_index = static_cast<unsigned>(direct::slot_of(fd)) + 1;
  sqe.flags = IOSQE_CQE_SKIP_SUCCESS;
  give_back();
  by_.submit_soon();
  return true;
}

}  // namespace iolite
