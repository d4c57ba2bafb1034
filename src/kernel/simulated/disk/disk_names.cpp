// See disk.hpp: names, and what they lead to. path_resolution(7).
#include "kernel/simulated/disk/disk.hpp"

#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>

namespace iolite::simulated {

disk::disk() {
  files_.emplace("", make(kind::directory));
  for (const char* path : {"/dev", "/etc", "/home", "/opt", "/run", "/srv", "/tmp", "/usr", "/var",
                           "/var/cache", "/var/lib", "/var/log", "/var/tmp"}) {
    mkdir(path);
  }
}

disk::content disk::make(kind k) {
  auto out = std::make_shared<stored>();
  out->is = k;
  out->number = ++numbers_;
  out->name_kept = k != kind::regular;
  out->room = room_;
  return out;
}

// Whether the last component is there does not matter; those before it are directories.
int disk::resolve(const std::string& path, place& out) const {
  if (path.empty()) return -ENOENT;
  out = {{}, path.back() == '/'};
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = std::string_view(path).substr(at, end - at);
    at = end + 1;
    if (part.empty()) continue;
    const auto before = files_.find(out.name);
    if (before == files_.end()) return -ENOENT;
    if (before->second->is != kind::directory) return -ENOTDIR;
    if (part == "..") out.name.erase(std::min(out.name.rfind('/'), out.name.size()));
    else if (part != ".") (out.name += '/') += part;
  }
  return 0;
}

int disk::look_up(const std::string& path, place& out, tree::const_iterator& found) const {
  if (const int r = resolve(path, out); r < 0) return r;
  found = files_.find(out.name);
  if (found == files_.end()) return -ENOENT;
  return out.ends_with_slash && found->second->is != kind::directory ? -ENOTDIR : 0;
}

int disk::find(const std::string& path, content& out) const {
  place at;
  tree::const_iterator found;
  if (const int r = look_up(path, at, found); r < 0) return r;
  out = found->second;
  return 0;
}

int disk::open(const std::string& path, int flags, content& out) {
  place at;
  if (const int r = resolve(path, at); r < 0) return r;
  const bool makes = (flags & O_CREAT) != 0;
  if (makes && at.ends_with_slash) return -EISDIR;
  const auto it = files_.find(at.name);
  if (it != files_.end()) {
    const kind is = it->second->is;
    const bool writes = (flags & O_ACCMODE) != O_RDONLY;
    if (makes && (flags & O_EXCL) != 0) return -EEXIST;
    if (is != kind::directory && (at.ends_with_slash || (flags & O_DIRECTORY) != 0))
      return -ENOTDIR;
    if (is == kind::directory && (makes || writes || (flags & O_TRUNC) != 0)) return -EISDIR;
    if (is == kind::socket) return -ENXIO;
    out = it->second;
    if ((flags & O_TRUNC) != 0 && writes) clear(*out);
    return 0;
  }
  const bool device = at.name == "/dev/full";
  if (!makes && !device) return -ENOENT;
  out = make(kind::regular);
  out->is_full = device;
  if (!device) files_.emplace(at.name, out);
  return 0;
}

int disk::bind(const std::string& path, any_socket& by, content& out) {
  place at;
  if (const int r = resolve(path, at); r < 0) return r;
  if (files_.contains(at.name)) return -EADDRINUSE;
  if (at.ends_with_slash) return -ENOENT;
  out = make(kind::socket);
  out->bound = &by;
  files_.emplace(at.name, out);
  return 0;
}

int disk::unlink(const std::string& path) {
  place at;
  tree::const_iterator found;
  if (const int r = look_up(path, at, found); r < 0) return r;
  if (found->second->is == kind::directory) return -EISDIR;
  files_.erase(found);
  return 0;
}

int disk::mkdir(const std::string& path) {
  place at;
  if (const int r = resolve(path, at); r < 0) return r;
  return files_.try_emplace(at.name, make(kind::directory)).second ? 0 : -EEXIST;
}

int disk::rmdir(const std::string& path) {
  place at;
  tree::const_iterator found;
  if (const int r = look_up(path, at, found); r < 0) return r;
  if (found->second->is != kind::directory) return -ENOTDIR;
  if (at.name.empty()) return -EBUSY;
  if (!is_empty(at.name)) return -ENOTEMPTY;
  files_.erase(found);
  return 0;
}

bool disk::is_empty(const std::string& directory) const {
  const auto next = files_.upper_bound(directory + "/");
  return next == files_.end() || !next->first.starts_with(directory + "/");
}

int disk::rename(const std::string& from, const std::string& to) {
  place source, target;
  if (const int r = resolve(from, source); r < 0) return r;
  if (const int r = resolve(to, target); r < 0) return r;
  const auto it = files_.find(source.name);
  if (it == files_.end()) return -ENOENT;
  if (source.name.empty() || target.name.empty()) return -EBUSY;
  const bool is_directory = it->second->is == kind::directory;
  if (!is_directory && (source.ends_with_slash || target.ends_with_slash)) return -ENOTDIR;
  if (is_directory && target.name.starts_with(source.name + "/")) return -EINVAL;
  const auto there = files_.find(target.name);
  if (there == it) return 0;
  if (there != files_.end()) {
    const bool onto_directory = there->second->is == kind::directory;
    if (is_directory && !onto_directory) return -ENOTDIR;
    if (!is_directory && onto_directory) return -EISDIR;
    if (onto_directory && !is_empty(target.name)) return -ENOTEMPTY;
    files_.erase(there);
  }
  move(source.name, target.name);
  return 0;
}

// And what is in it.
void disk::move(const std::string& from, const std::string& to) {
  tree moved;
  for (auto it = files_.lower_bound(from); it != files_.end() && it->first.starts_with(from);) {
    const bool is_within = it->first.size() == from.size() || it->first[from.size()] == '/';
    const auto next = std::next(it);
    if (is_within) {
      auto node = files_.extract(it);
      node.key().replace(0, from.size(), to);
      moved.insert(std::move(node));
    }
    it = next;
  }
  files_.merge(moved);
}

void disk::about(const stored& of, struct stat& out) {
  const bool is_directory = of.is == kind::directory, is_socket = of.is == kind::socket;
  out.st_dev = of.room->device;
  out.st_ino = of.number;
  out.st_mode = is_directory ? S_IFDIR | 0755 : is_socket ? S_IFSOCK | 0755 : S_IFREG | 0644;
  out.st_nlink = is_directory ? 2 : 1;
  out.st_size = static_cast<off_t>(of.now.size());
  out.st_blksize = block_bytes;
  out.st_blocks = static_cast<blkcnt_t>(of.blocks.size() * (block_bytes / sector_bytes));
}

// Who changes from one kind to the other gives up what it has first, and may lose it: flock(2).
int disk::lock(stored& of, const file& by, int operation) {
  if (of.locked_by == &by) of.locked_by = nullptr;
  of.shared_by.erase(&by);
  switch (operation & ~LOCK_NB) {
  case LOCK_UN: return 0;
  case LOCK_SH:
    if (of.locked_by) return -EAGAIN;
    of.shared_by.insert(&by);
    return 0;
  case LOCK_EX:
    if (of.locked_by || !of.shared_by.empty()) return -EAGAIN;
    of.locked_by = &by;
    return 0;
  default: return -EINVAL;
  }
}

}  // namespace iolite::simulated
