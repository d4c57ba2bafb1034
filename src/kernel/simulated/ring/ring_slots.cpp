// See ring_file.hpp: registered files. io_uring_register(2), IORING_REGISTER_FILES2 without any;
// io_uring_prep_multishot_accept_direct(3), io_uring_prep_fixed_fd_install(3).
#include "kernel/simulated/ring/ring_file.hpp"
#include "kernel/simulated/sockets/any_socket.hpp"

#include <cstring>
#include <utility>

namespace iolite::simulated {

// As large as the process's own may be.
int ring_file::make_slots(const void* argument) {
  io_uring_rsrc_register table;
  std::memcpy(&table, argument, sizeof table);
  if (table.flags != IORING_RSRC_REGISTER_SPARSE || table.nr == 0) return -EINVAL;
  if (slots_.limit() > 0) return -EBUSY;
  if (table.nr > static_cast<unsigned>(files_.limit())) return -EMFILE;
  slots_.set_limit(static_cast<int>(table.nr));
  return 0;
}

// IORING_REGISTER_FILES_UPDATE with one -1. The number of slots.
int ring_file::empty_slot(const void* argument) {
  io_uring_files_update update;
  std::memcpy(&update, argument, sizeof update);
  if (*reinterpret_cast<const int*>(update.fds) != -1) return -EINVAL;
  const int r = slots_.close(static_cast<int>(update.offset));
  return r < 0 ? r : 1;
}

int ring_file::probe(const void* argument, unsigned most) {
  auto* const out = static_cast<char*>(const_cast<void*>(argument));
  for (unsigned i = 0; i < most; ++i) {
    submission asked{};
    asked.opcode = static_cast<std::uint8_t>(i);
    io_uring_probe_op found{};
    found.op = static_cast<std::uint8_t>(i);
    found.flags = is_known(asked) ? IO_URING_OP_SUPPORTED : 0;
    std::memcpy(out + sizeof(io_uring_probe) + i * sizeof found, &found, sizeof found);
  }
  return 0;
}

// A file that a request has made, where it asked for it. One without a slot is lost.
int ring_file::add(const submission& asked, std::shared_ptr<file> f) {
  if (asked.file_index == 0)
    return files_.add(std::move(f), (asked.call_flags & SOCK_CLOEXEC) != 0);
  if (!slots_.has_room()) {
    f->opened();
    f->dropped();
    return -ENFILE;
  }
  return slots_.add(std::move(f), true);
}

// Numbers of descriptors in, numbers of slots out; how many there was room for.
int ring_file::put_into_slots(const submission& asked) {
  if (asked.offset != IORING_FILE_INDEX_ALLOC) return -EINVAL;
  auto* const numbers = reinterpret_cast<int*>(asked.address);
  for (unsigned i = 0; i < asked.bytes; ++i) {
    const auto f = files_.share(numbers[i]);
    const int slot = !f ? -EBADF : slots_.has_room() ? slots_.add(f, true) : -ENFILE;
    if (slot < 0) return i > 0 ? static_cast<int>(i) : slot;
    numbers[i] = slot;
  }
  return static_cast<int>(asked.bytes);
}

int ring_file::install(const request& r) {
  return r.asked.has(IOSQE_FIXED_FILE) ? files_.add(r.on, true) : -EBADF;
}

int ring_file::close(const submission& asked) {
  if (asked.file_index > 0) return slots_.close(static_cast<int>(asked.file_index) - 1);
  return files_.find(asked.fd) == this ? -EBADF : files_.close(asked.fd);
}

}  // namespace iolite::simulated
