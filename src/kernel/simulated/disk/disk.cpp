// See disk.hpp.
#include "kernel/simulated/disk/disk.hpp"

#include <algorithm>
#include <cerrno>

namespace iolite::simulated {
namespace {

// Copies one sector, as much of it as there is.
void copy_sector(const std::vector<std::byte>& from, std::vector<std::byte>& to, std::size_t n) {
  const std::size_t begin = n * disk::sector_bytes;
  const std::size_t end = std::min({begin + disk::sector_bytes, from.size(), to.size()});
  for (std::size_t i = begin; i < end; ++i) to[i] = from[i];
}

}  // namespace

void disk::clear(stored& of) {
  of.room->taken -= of.blocks.size();
  of.blocks.clear();
  of.unsynced.clear();
  of.now.clear();
}

long disk::write(stored& to, std::uint64_t at, std::span<const std::byte> bytes) {
  if (bytes.empty()) return 0;
  if (to.is_full) return -ENOSPC;
  if (at >= file_max) return -EFBIG;
  std::uint64_t end = std::min<std::uint64_t>(at + bytes.size(), file_max);
  for (std::uint64_t b = at / block_bytes; b * block_bytes < end; ++b) {
    if (to.blocks.contains(b)) continue;
    if (to.room->taken == to.room->blocks_max) {
      end = std::max(at, b * block_bytes);
      break;
    }
    to.blocks.insert(b);
    ++to.room->taken;
  }
  if (end == at) return -ENOSPC;
  const auto n = static_cast<std::size_t>(end - at);
  if (to.now.size() < end) to.now.resize(end);
  std::copy_n(bytes.begin(), n, to.now.begin() + static_cast<std::ptrdiff_t>(at));
  for (std::uint64_t s = at / sector_bytes; s * sector_bytes < end; ++s) to.unsynced.insert(s);
  return static_cast<long>(n);
}

void disk::sync(stored& of) {
  of.kept.resize(of.now.size());
  for (const std::size_t s : of.unsynced) copy_sector(of.now, of.kept, s);
  of.unsynced.clear();
  of.name_kept = true;
}

void disk::fail_to_sync(stored& of, random_source& random) {
  of.kept.resize(of.now.size());
  for (const std::size_t s : of.unsynced) {
    if (random.below(2) == 0) copy_sector(of.now, of.kept, s);
  }
  of.unsynced.clear();
}

void disk::crash(random_source& random) {
  room_ = std::make_shared<space>(space{0, room_->blocks_max, room_->device});
  for (auto it = files_.begin(); it != files_.end();) {
    if (it->second->is != kind::regular) {
      it->second->bound = nullptr;
      it->second->locked_by = nullptr;
      it->second->shared_by.clear();
      it->second->room = room_;
      ++it;
      continue;
    }
    const bool lost = !it->second->name_kept && random.below(2) == 0;
    if (!lost) it->second = after_crash(*it->second, random);
    it = lost ? files_.erase(it) : std::next(it);
  }
}

disk::content disk::after_crash(const stored& before, random_source& random) const {
  auto out = std::make_shared<stored>();
  const bool resized = before.now.size() != before.kept.size();
  out->now = before.kept;
  if (resized && random.below(2) == 0) out->now.resize(before.now.size());
  for (const std::size_t s : before.unsynced) {
    if (random.below(2) == 0) copy_sector(before.now, out->now, s);
  }
  out->number = before.number;
  out->kept = out->now;
  out->name_kept = true;
  out->room = room_;
  for (std::size_t b = 0; b * block_bytes < out->now.size(); ++b) out->blocks.insert(b);
  room_->taken += out->blocks.size();
  return out;
}

}  // namespace iolite::simulated
