// A host's small disk: a tree of directories, files and unix sockets; what of each file has reached
// the plate, how much room is left.
//
// What is written is seen at once, and lost when the host crashes, but for sectors that the seed
// saves; fsync(2) makes it stay. A name is there at once, that of a file that was never synced may
// be gone after a crash; those of directories and sockets stay. unlink(2), rename(2) and rmdir(2)
// are for good at once.
//
// Paths that do not begin with '/' do so, too: "/" is every process's working directory.
//
// Not in it: links, permissions, devices but /dev/full.
#pragma once
#include "kernel/simulated/world/random.hpp"

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

struct stat;

namespace iolite::simulated {

class any_socket;
class file;

class disk {
 public:
  static constexpr std::size_t sector_bytes = 512;  // written whole or not at all
  static constexpr std::size_t block_bytes = 4096;  // room is given out in these
  static constexpr std::uint64_t file_max = 1U << 30;

  enum class kind : std::uint8_t { regular, directory, socket };
  struct space {
    std::uint64_t taken = 0, blocks_max = file_max / block_bytes;
    std::uint64_t device = 0;  // st_dev
  };
  struct stored;
  using content = std::shared_ptr<stored>;
  struct stored {
    kind is = kind::regular;
    std::uint64_t number = 0;  // st_ino
    any_socket* bound = nullptr;  // the socket that made it, until that is closed
    const file* locked_by = nullptr;  // flock(2), LOCK_EX
    std::set<const file*> shared_by;  // LOCK_SH

    std::vector<std::byte> now;  // as programs see it
    std::vector<std::byte> kept;  // as a crash leaves it
    std::set<std::size_t> unsynced;  // sectors of `now` that are on their way
    std::set<std::size_t> blocks;  // that take up room
    bool name_kept = false;
    bool is_full = false;  // /dev/full
    std::shared_ptr<space> room;  // of the whole disk

    ~stored() { room->taken -= blocks.size(); }
  };

  // With the directories that every system has.
  disk();

  // --- as the calls of these names: 0 or -errno ---
  int open(const std::string& path, int flags, content& out);
  int bind(const std::string& path, any_socket& by, content& out);
  int find(const std::string& path, content& out) const;
  int unlink(const std::string& path);
  int rename(const std::string& from, const std::string& to);
  int mkdir(const std::string& path);
  int rmdir(const std::string& path);
  static void about(const stored& of, struct stat& out);
  // -EAGAIN: another one has it.
  static int lock(stored& of, const file& by, int operation);

  // How much was written, or -errno: -ENOSPC where not even the first byte has room.
  static long write(stored& to, std::uint64_t at, std::span<const std::byte> bytes);
  static void sync(stored& of);
  // The error that fsync(2) reports: what was on its way is lost or not, and taken for written.
  static void fail_to_sync(stored& of, random_source& random);
  // What is not synced is lost, but for what the seed saves. Open files keep what they have.
  void crash(random_source& random);

  void set_size(std::uint64_t bytes) noexcept { room_->blocks_max = bytes / block_bytes; }
  void set_device(std::uint64_t number) noexcept { room_->device = number; }

 private:
  // A path as its name in the tree: "" is "/", and "/tmp/x" is "//tmp/./x".
  struct place {
    std::string name;
    bool ends_with_slash = false;  // only a directory is meant
  };
  using tree = std::map<std::string, content>;

  int resolve(const std::string& path, place& out) const;
  int look_up(const std::string& path, place& out, tree::const_iterator& found) const;
  [[nodiscard]] bool is_empty(const std::string& directory) const;
  [[nodiscard]] content make(kind k);
  void move(const std::string& from, const std::string& to);
  static void clear(stored& of);
  [[nodiscard]] content after_crash(const stored& before, random_source& random) const;

  tree files_;
  std::shared_ptr<space> room_ = std::make_shared<space>();
  std::uint64_t numbers_ = 1;
};

}  // namespace iolite::simulated
