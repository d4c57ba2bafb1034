// A host's small disk: files by path, what of each has reached the plate, how much room is left.
//
// What is written is seen at once, and lost when the host crashes, but for sectors that the seed
// saves; fsync(2) makes it stay. A name is there at once, that of a file that was never synced may
// be gone after a crash. unlink(2) is for good at once.
//
// Not in it: directories (every path but "/" may be a file's), links, permissions, rename(2).
#pragma once
#include "kernel/simulated/random.hpp"

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace iolite::simulated {

class disk {
 public:
  static constexpr std::size_t sector_bytes = 512;  // written whole or not at all
  static constexpr std::size_t block_bytes = 4096;  // room is given out in these
  static constexpr std::uint64_t file_max = 1U << 30;

  struct space {
    std::uint64_t taken = 0, blocks_max = file_max / block_bytes;
  };
  struct stored;
  using content = std::shared_ptr<stored>;
  struct stored {
    std::vector<std::byte> now;  // as programs see it
    std::vector<std::byte> kept;  // as a crash leaves it
    std::set<std::size_t> unsynced;  // sectors of `now` that are on their way
    std::set<std::size_t> blocks;  // that take up room
    bool name_kept = false;
    bool is_full = false;  // /dev/full
    std::shared_ptr<space> room;  // of the whole disk

    ~stored() { room->taken -= blocks.size(); }
  };

  // open(2): 0 or -errno.
  int open(const std::string& path, int flags, content& out);
  int unlink(const std::string& path);
  [[nodiscard]] bool has(const std::string& path) const { return files_.contains(path); }

  // How much was written, or -errno: -ENOSPC where not even the first byte has room.
  static long write(stored& to, std::uint64_t at, std::span<const std::byte> bytes);
  static void sync(stored& of);
  // The error that fsync(2) reports: what was on its way is lost or not, and taken for written.
  static void fail_to_sync(stored& of, random_source& random);
  // What is not synced is lost, but for what the seed saves. Open files keep what they have.
  void crash(random_source& random);

  void set_size(std::uint64_t bytes) noexcept { room_->blocks_max = bytes / block_bytes; }

 private:
  static void clear(stored& of);
  [[nodiscard]] content after_crash(const stored& before, random_source& random) const;

  std::map<std::string, content> files_;
  std::shared_ptr<space> room_ = std::make_shared<space>();
};

}  // namespace iolite::simulated
