// Regular files, read and written without blocking the event loop.
//
//   auto f = co_await iolite::file::open("/var/log/x", iolite::file_mode::read);
//   auto n = co_await f->read_at(0, buffer);
//   auto sent = co_await iolite::send_file(peer, *f);
//
// A regular file is always "ready": select, poll, epoll and signals know nothing about the disk, so
// read(2) blocks the loop. io_uring and posix_aio read and write files themselves; the other event
// loops pass the call to a helper thread (offload.hpp); a blocking engine makes it directly.
//
// Every read and write names its offset, so several may be pending at once. A range that ends
// beyond offset_max is EINVAL. A file that cannot seek, for instance a pipe or a terminal, gives
// ESPIPE: pread(2), lseek(2). A pending transfer can be cancelled until it has begun; after that it
// must run to its end, and so must the lifetime of its buffer. A task waits for it even on a disk
// that hangs. open() can be cancelled at any time, because the kernel holds no memory of the
// caller.
#pragma once
#include "iolite/offload.hpp"
#include "iolite/result.hpp"
#include "iolite/stream.hpp"
#include "iolite/task.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>

namespace iolite {

class file;

// The largest offset of a file: off_t is signed.
inline constexpr std::uint64_t offset_max = std::numeric_limits<std::int64_t>::max();

enum class file_mode : std::uint8_t {
  read,
  create,  // write; creates the file or truncates an existing one
  update,  // read and write; creates the file if there is none
};

namespace detail {

// Native where the engine does files itself, else a call on a helper.
class file_operation : public offload_operation {
 public:
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    return begin_on_file(h, h.promise().ctx());
  }
  void call() noexcept override;

 protected:
  file_operation(const file& f, op_kind what, std::span<std::byte> bytes,
                 std::uint64_t at) noexcept;
  bool begin_on_file(std::coroutine_handle<> h, const context& c);
  result<std::size_t> end_on_file() noexcept;

 private:
  void describe(operation& op) const noexcept;
  [[nodiscard]] int refusal() const noexcept;

  const file& file_;
  const op_kind what_;
  const std::span<std::byte> bytes_;
  const std::uint64_t at_;
  engine* engine_ = nullptr;
  bool native_ = false;
  int refused_ = 0;  // before anything began
  int ended_with_ = 0;  // a helper's
  std::size_t got_ = 0;
};

}  // namespace detail

// co_await: result<size_t>, the bytes moved. file::read_at() and file::write_at() make it.
class file_transfer : public detail::file_operation {
 public:
  using file_operation::file_operation;
  result<std::size_t> await_resume() noexcept { return end_on_file(); }

 private:
  friend class file;
};

// co_await: result<void>. file::sync() makes it.
class file_sync : public detail::file_operation {
 public:
  explicit file_sync(const file& f) noexcept : file_operation(f, op_kind::sync, {}, 0) {}
  result<void> await_resume() noexcept;
};

class file {
 public:
  file() noexcept = default;
  file(file&& other) noexcept
      : engine_(other.engine_), fd_(other.release()), has_places_(other.has_places_) {}
  file& operator=(file&& other) noexcept {
    if (this != &other) {
      close();
      engine_ = other.engine_;
      fd_ = other.release();
      has_places_ = other.has_places_;
    }
    return *this;
  }
  ~file() { close(); }

  // open(2) on a helper thread, because any path may hang. `permissions` are those of a new file,
  // before the umask. A cancel ends it at once except on a blocking engine; a descriptor that
  // open(2) returns after that is closed.
  [[nodiscard]] static task<result<file>> open(std::string path, file_mode mode,
                                               unsigned permissions = 0644);
  // Takes ownership of an open descriptor. One system call asks whether it can seek.
  [[nodiscard]] static file adopt(engine& on, int fd) noexcept;

  // Fills `into`. Gives fewer bytes only at the end of the file, and 0 beyond it. pread(2).
  [[nodiscard]] file_transfer read_at(std::uint64_t at, std::span<std::byte> into) const noexcept {
    return {*this, op_kind::read, into, at};
  }
  // Writes all of `from`, or gives an error, after which a part may have been written. A full disk
  // is std::errc::no_space_on_device. pwrite(2).
  [[nodiscard]] file_transfer write_at(std::uint64_t at,
                                       std::span<const std::byte> from) const noexcept {
    return {*this, op_kind::write, {const_cast<std::byte*>(from.data()), from.size()}, at};
  }
  // Returns when everything written so far is on the disk. fsync(2), with its caveats: after an
  // error the data may be lost, and a second call may report success.
  [[nodiscard]] file_sync sync() const noexcept { return file_sync(*this); }
  // The current size in bytes. fstat(2), called on this thread.
  [[nodiscard]] result<std::uint64_t> size() const noexcept;

  // Nothing may be pending. Idempotent. sync() reports errors of earlier writes; close() does not.
  void close() noexcept;
  // Gives up the descriptor, which the caller must close. Nothing may be pending.
  [[nodiscard]] int release() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] bool has_places() const noexcept { return has_places_; }
  [[nodiscard]] int native_handle() const noexcept { return fd_; }

 private:
  friend class detail::file_operation;
  file(engine& on, int fd, bool has_places) noexcept
      : engine_(&on), fd_(fd), has_places_(has_places) {}

  engine* engine_ = nullptr;
  int fd_ = -1;
  bool has_places_ = true;
  mutable std::atomic<int> pending_ = 0;  // on a blocking engine, of several threads
};

// How send_file() moves the bytes of a file to a socket.
enum class transfer : std::uint8_t {
  best,  // sendfile where the kernel supports it, else copy
  copy,  // reads into a buffer and sends it: the disk never blocks the loop
  sendfile,  // sendfile(2): no copy in this process, but a page that is not cached blocks the loop
  splice,  // splice(2) through a pipe: like sendfile, in two calls
};

inline constexpr std::uint64_t whole_file = std::numeric_limits<std::uint64_t>::max();

// Sends `length` bytes of `from`, beginning at offset `at`, and gives their number: fewer only if
// the file ends first. After an error some may have been sent. `at` beyond offset_max is EINVAL; a
// file that cannot seek is ESPIPE. The receiving side of `to` stays usable meanwhile.
[[nodiscard]] task<result<std::uint64_t>> send_file(stream& to, const file& from,
                                                    std::uint64_t at = 0,
                                                    std::uint64_t length = whole_file,
                                                    transfer how = transfer::best);

}  // namespace iolite
