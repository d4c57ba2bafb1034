// See regular_file.hpp.
#include "kernel/simulated/disk/regular_file.hpp"

#include <algorithm>
#include <sys/file.h>

namespace iolite::simulated {

long regular_file::read(std::span<std::byte> into) {
  const long n = read_at(into, position);
  if (n > 0) position += static_cast<std::uint64_t>(n);
  return n;
}

long regular_file::write(std::span<const std::byte> from) {
  if ((status_flags & O_APPEND) != 0) position = what_->now.size();
  const long n = write_at(from, position);
  if (n > 0) position += static_cast<std::uint64_t>(n);
  return n;
}

long regular_file::read_at(std::span<std::byte> into, std::uint64_t at) {
  if (what_->is == disk::kind::directory) return -EISDIR;
  if ((status_flags & O_ACCMODE) == O_WRONLY) return -EBADF;
  if (what_->is_full) {
    std::ranges::fill(into, std::byte{});
    return static_cast<long>(into.size());
  }
  if (at >= what_->now.size() || into.empty()) return 0;
  if (wrong(fault_kind::disk_error)) return -EIO;
  std::size_t n = std::min<std::size_t>(into.size(), what_->now.size() - at);
  if (n > 1 && wrong(fault_kind::short_file)) n = world().draws.extent().from_one_to(n - 1);
  std::copy_n(what_->now.begin() + static_cast<std::ptrdiff_t>(at), n, into.begin());
  return static_cast<long>(n);
}

long regular_file::write_at(std::span<const std::byte> from, std::uint64_t at) {
  if ((status_flags & O_ACCMODE) == O_RDONLY) return -EBADF;
  if (from.empty()) return 0;
  if (wrong(fault_kind::disk_error)) return -EIO;
  std::size_t n = from.size();
  if (n > 1 && wrong(fault_kind::short_file)) n = world().draws.extent().from_one_to(n - 1);
  // pwrite(2), "Bugs": the place does not matter where bytes are appended.
  const std::uint64_t place = (status_flags & O_APPEND) != 0 ? what_->now.size() : at;
  return disk::write(*what_, place, from.first(n));
}

long regular_file::sync() {
  if (wrong(fault_kind::disk_error)) {
    disk::fail_to_sync(*what_, world().random);
    return -EIO;
  }
  disk::sync(*what_);
  return 0;
}

void regular_file::about(struct stat& out) const { disk::about(*what_, out); }

void regular_file::closed() { disk::lock(*what_, *this, LOCK_UN); }

}  // namespace iolite::simulated
