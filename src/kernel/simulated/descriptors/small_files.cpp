// See small_files.hpp.
#include "kernel/simulated/descriptors/small_files.hpp"

#include <cstring>

namespace iolite::simulated {

// --- eventfd(2) ---

short event_file::readiness() const {
  return static_cast<short>((count_ > 0 ? POLLIN : 0) | (count_ < count_max ? POLLOUT : 0));
}

long event_file::read(std::span<std::byte> into) {
  if (into.size() < sizeof count_) return -EINVAL;
  if (count_ == 0) return -EAGAIN;
  const std::uint64_t given = semaphore_ ? 1 : count_;
  count_ -= given;
  std::memcpy(into.data(), &given, sizeof given);
  changed(POLLOUT);
  return sizeof given;
}

long event_file::write(std::span<const std::byte> from) {
  std::uint64_t more = 0;
  if (from.size() < sizeof more) return -EINVAL;
  std::memcpy(&more, from.data(), sizeof more);
  if (more == ~std::uint64_t{0}) return -EINVAL;
  if (more > count_max - count_) return -EAGAIN;
  count_ += more;
  changed(POLLIN);
  return sizeof more;
}

// --- pipe(2) ---

void pipe_end::join(const std::shared_ptr<pipe_end>& reader,
                    const std::shared_ptr<pipe_end>& writer) {
  reader->bytes_ = writer->bytes_ = std::make_shared<byte_queue>();
  reader->other_ = writer;
  writer->other_ = reader;
}

short pipe_end::readiness() const {
  const bool alone = other_.expired();
  if (reads_) {
    return static_cast<short>((bytes_->empty() ? 0 : POLLIN) | (alone ? POLLHUP : 0));
  }
  const bool room = bytes_->size() + atomic_bytes <= capacity;
  return static_cast<short>((room || alone ? POLLOUT : 0) | (alone ? POLLERR : 0));
}

long pipe_end::read(std::span<std::byte> into) {
  if (!reads_) return -EBADF;
  if (into.empty()) return 0;
  if (bytes_->empty()) return other_.expired() ? 0 : -EAGAIN;
  const std::size_t n = bytes_->take(into);
  if (const auto writer = other_.lock()) writer->changed(POLLOUT);
  return static_cast<long>(n);
}

long pipe_end::write(std::span<const std::byte> from) {
  if (reads_) return -EBADF;
  const auto reader = other_.lock();
  if (!reader) return -EPIPE;
  const std::size_t room = capacity - bytes_->size();
  if (room == 0 || (from.size() <= atomic_bytes && room < from.size())) return -EAGAIN;
  const std::size_t n = std::min(room, from.size());
  bytes_->append(from.first(n));
  reader->changed(POLLIN);
  return static_cast<long>(n);
}

long pipe_end::peek(std::span<std::byte> into) const {
  if (bytes_->empty()) return other_.expired() ? 0 : -EAGAIN;
  return static_cast<long>(bytes_->peek(into));
}

long pipe_end::room() const {
  if (other_.expired()) return -EPIPE;
  const std::size_t room = capacity - bytes_->size();
  return room == 0 ? -EAGAIN : static_cast<long>(room);
}

void pipe_end::closed() {
  const auto other = other_.lock();
  if (!other) return;
  other->other_.reset();
  other->changed_by_us(POLLIN | POLLOUT | POLLERR | POLLHUP);
  other->changed(other->reads_ ? POLLIN : POLLOUT);
  other_.reset();
}

}  // namespace iolite::simulated
