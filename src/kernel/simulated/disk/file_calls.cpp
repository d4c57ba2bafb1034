// See process.hpp: the calls on files of the disk, and those that move bytes between descriptors.
#include "kernel/simulated/descriptors/small_files.hpp"
#include "kernel/simulated/descriptors/wait.hpp"
#include "kernel/simulated/disk/regular_file.hpp"
#include "kernel/simulated/processes/process.hpp"

#include <algorithm>
#include <sys/file.h>
#include <sys/stat.h>

namespace iolite::simulated {
namespace {

constexpr std::size_t piece_bytes = 65536;
constexpr int large_file = 0100000;  // O_LARGEFILE, which glibc says is 0

bool reads(const file& f) noexcept { return (f.status_flags & O_ACCMODE) != O_WRONLY; }
bool writes(const file& f) noexcept { return (f.status_flags & O_ACCMODE) != O_RDONLY; }
bool blocks(const file& f) noexcept { return (f.status_flags & O_NONBLOCK) == 0; }

}  // namespace

long process::file_call(call c, const call_args& a) {
  if (c == call::open) return open(a.as<const char*>(0), a.as<int>(1));
  if (c == call::sendfile) {
    return send_file(a.as<int>(0), a.as<int>(1), a.as<off_t*>(2), a.as<std::size_t>(3));
  }
  if (c == call::splice) return splice(a);
  if (c == call::flock) return lock(a.as<int>(0), a.as<int>(1));
  const auto f = files_.share(a.as<int>(0));
  if (!f) return -EBADF;
  const auto bytes = a.as<std::size_t>(2);
  switch (c) {
  // Nobody moves the offset there, all reads and writes name their place: it only asks.
  case call::lseek: return f->is_regular() ? 0 : -ESPIPE;
  case call::pread:
    if (a.word[3] < 0) return -EINVAL;
    return f->read_at({a.as<std::byte*>(1), bytes}, a.as<std::uint64_t>(3));
  case call::pwrite:
    if (a.word[3] < 0) return -EINVAL;
    return f->write_at({a.as<const std::byte*>(1), bytes}, a.as<std::uint64_t>(3));
  case call::fsync:
    if (f->is_regular()) spend(site_.world.random.between({}, site_.at.sync_max));
    return f->sync();
  case call::fstat: {
    auto& out = *a.as<struct stat*>(1);
    out = {};
    f->about(out);
    return 0;
  }
  default: return -ENOSYS;
  }
}

long process::open(const char* path, int flags) {
  if (!files_.has_room()) return -EMFILE;
  disk::content what;
  if (const int r = site_.at.storage.open(path, flags, what); r < 0) return r;
  const auto f = std::make_shared<regular_file>(site_, std::move(what), path);
  f->status_flags = (flags & (O_ACCMODE | O_APPEND | O_NONBLOCK)) | large_file;
  return files_.add(f, (flags & O_CLOEXEC) != 0);
}

long process::path_call(call c, const call_args& a) {
  disk& storage = site_.at.storage;
  const auto* const path = a.as<const char*>(0);
  switch (c) {
  case call::unlink: return storage.unlink(path);
  case call::rename: return storage.rename(path, a.as<const char*>(1));
  case call::mkdir: return storage.mkdir(path);
  case call::rmdir: return storage.rmdir(path);
  case call::lstat: {
    disk::content found;
    if (const int r = storage.find(path, found); r < 0) return r;
    auto& out = *a.as<struct stat*>(1);
    out = {};
    disk::about(*found, out);
    return 0;
  }
  default: return -ENOSYS;
  }
}

// What is not on a disk nobody else can open: its lock is to be had.
long process::lock(int fd, int operation) {
  const auto f = files_.share(fd);
  if (!f) return -EBADF;
  auto* const on_disk = dynamic_cast<regular_file*>(f.get());
  if (!on_disk) return 0;
  int r = disk::lock(on_disk->stored(), *f, operation);
  if (r != -EAGAIN || (operation & LOCK_NB) != 0) return r;
  const long w = wait(nullptr, never, [&] {
    if (r == -EAGAIN) r = disk::lock(on_disk->stored(), *f, operation);
    return r != -EAGAIN;
  });
  return w < 0 ? w : r;
}

long process::send_file(int to, int from, off_t* at, std::size_t n) {
  const auto in = files_.share(from), out = files_.share(to);
  if (!in || !out || !reads(*in) || !writes(*out)) return -EBADF;
  if (!in->is_regular() || (out->status_flags & O_APPEND) != 0 || (at && *at < 0)) return -EINVAL;
  std::vector<std::byte> piece(std::min(n, piece_bytes));
  auto& place = static_cast<regular_file&>(*in).position;
  std::uint64_t next = at ? static_cast<std::uint64_t>(*at) : place;
  std::size_t sent = 0;
  long r = 0;
  while (sent < n) {
    const auto part = std::span(piece).first(std::min(piece.size(), n - sent));
    r = in->read_at(part, next);
    if (r <= 0) break;
    const auto got = static_cast<std::size_t>(r);
    r = write_whole(out, part.first(got), blocks(*out));
    if (r <= 0) break;
    next += static_cast<std::uint64_t>(r);
    sent += static_cast<std::size_t>(r);
    if (static_cast<std::size_t>(r) < got) break;
  }
  if (at) *at = static_cast<off_t>(next);
  else place = next;
  if (r == -EPIPE) site_.signals.raise(SIGPIPE);
  return sent > 0 ? static_cast<long>(sent) : r;
}

// Of a writer that waits all, or what was written before the error.
long process::write_whole(const std::shared_ptr<file>& to, std::span<const std::byte> bytes,
                          bool waits) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const long r = until_ready(to, POLLOUT, waits, [&] { return to->write(bytes.subspan(done)); });
    if (r < 0) return done > 0 ? static_cast<long>(done) : r;
    done += static_cast<std::size_t>(r);
    if (!waits) break;
  }
  return static_cast<long>(done);
}

// One side is a pipe: splice(2).
long process::splice(const call_args& a) {
  const auto in = files_.share(a.as<int>(0)), out = files_.share(a.as<int>(2));
  auto *const in_at = a.as<off_t*>(1), *const out_at = a.as<off_t*>(3);
  if (!in || !out || !reads(*in) || !writes(*out)) return -EBADF;
  auto* const from_pipe = dynamic_cast<pipe_end*>(in.get());
  auto* const to_pipe = dynamic_cast<pipe_end*>(out.get());
  if ((from_pipe && in_at) || (to_pipe && out_at)) return -ESPIPE;
  if ((from_pipe != nullptr) == (to_pipe != nullptr) || out_at) return -EINVAL;
  const auto most = a.as<std::size_t>(4);
  const bool waits_for_pipe = (a.word[5] & SPLICE_F_NONBLOCK) == 0;
  if (most == 0) return 0;
  std::vector<std::byte> bytes(std::min(most, piece_bytes));
  if (to_pipe) {
    const long room =
        until_ready(out, POLLOUT, waits_for_pipe && blocks(*out), [&] { return to_pipe->room(); });
    if (room < 0) return room;
    const auto part =
        std::span(bytes).first(std::min(bytes.size(), static_cast<std::size_t>(room)));
    const long got = in_at ? in->read_at(part, static_cast<std::uint64_t>(*in_at)) : in->read(part);
    if (got <= 0) return got;
    if (in_at) *in_at += got;
    return out->write(part.first(static_cast<std::size_t>(got)));
  }
  const long there = until_ready(in, POLLIN, waits_for_pipe && blocks(*in),
                                 [&] { return from_pipe->peek(bytes); });
  if (there <= 0) return there;
  const long sent =
      write_whole(out, std::span(bytes).first(static_cast<std::size_t>(there)), blocks(*out));
  if (sent > 0) in->read(std::span(bytes).first(static_cast<std::size_t>(sent)));
  if (sent == -EPIPE) site_.signals.raise(SIGPIPE);
  return sent;
}

}  // namespace iolite::simulated
