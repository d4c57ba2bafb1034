// Regular files, without stopping the event loop.
//
//   auto f = co_await iolite::file::open("/var/log/x", iolite::file_mode::read);
//   auto n = co_await f->read_at(0, buffer);
//   auto sent = co_await iolite::send_file(peer, *f);
//
// A file is always "ready": select, poll, epoll and signals say nothing about the disk, which is
// why read(2) stops a loop. So io_uring and posix_aio read and write files themselves, every other
// engine gives the call to a helper thread (see offload.hpp), and a blocking engine makes it.
//
// Every read and write names its place, so several may be pending at once. One that reaches beyond
// offset_max is EINVAL; on what has no places, such as a pipe or a terminal, all are ESPIPE:
// pread(2), lseek(2). A pending one can be cancelled before it began; after that it ends by itself,
// and its buffer must live as long: on a disk that hangs, so does the task. open() alone can be
// given up at any time, as it lends nothing.
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
  create,  // write; it is made where it does not exist, and emptied where it does
  update,  // read and write; made where it does not exist
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

class file_transfer : public detail::file_operation {
 public:
  using file_operation::file_operation;
  result<std::size_t> await_resume() noexcept { return end_on_file(); }

 private:
  friend class file;
};

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

  // open(2), on a helper: a path may lead anywhere. `permissions`: of a new file, less the umask.
  // Cancelled, it ends at once, but on a blocking engine; what is opened after that is closed.
  [[nodiscard]] static task<result<file>> open(std::string path, file_mode mode,
                                               unsigned permissions = 0644);
  // Takes over an open descriptor. One call asks whether it has places.
  [[nodiscard]] static file adopt(engine& on, int fd) noexcept;

  // Fills `into`; fewer bytes only at the end of the file, 0 beyond it. pread(2).
  [[nodiscard]] file_transfer read_at(std::uint64_t at, std::span<std::byte> into) const noexcept {
    return {*this, op_kind::read, into, at};
  }
  // All of `from`, or an error; a full disk is std::errc::no_space_on_device, and part of it may
  // have been written then. pwrite(2).
  [[nodiscard]] file_transfer write_at(std::uint64_t at,
                                       std::span<const std::byte> from) const noexcept {
    return {*this, op_kind::write, {const_cast<std::byte*>(from.data()), from.size()}, at};
  }
  // Returns when what was written so far is on the disk. fsync(2), with its caveats: after an error
  // the data may be lost, and a second try may say that all is well.
  [[nodiscard]] file_sync sync() const noexcept { return file_sync(*this); }
  // Bytes, now. fstat(2), on this thread.
  [[nodiscard]] result<std::uint64_t> size() const noexcept;

  // Nothing may be pending. Idempotent. Errors of earlier writes show in sync(), not here.
  void close() noexcept;
  // The descriptor, now the caller's to close; nothing may be pending.
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

// How bytes of a file get to a socket.
enum class transfer : std::uint8_t {
  best,  // sendfile where the kernel can, else copy
  copy,  // read into a buffer and send it: the disk never holds the loop
  sendfile,  // sendfile(2): never in this process. A part that is not cached holds the loop
  splice,  // splice(2) through a pipe: the same, in two calls
};

inline constexpr std::uint64_t whole_file = std::numeric_limits<std::uint64_t>::max();

// Sends `length` bytes of `from`, beginning at `at`; gives how many, fewer only where the file ends
// first. On an error some may have been sent. `at` beyond offset_max is EINVAL, a file without
// places ESPIPE. The receiving side of `to` stays usable meanwhile.
[[nodiscard]] task<result<std::uint64_t>> send_file(stream& to, const file& from,
                                                    std::uint64_t at = 0,
                                                    std::uint64_t length = whole_file,
                                                    transfer how = transfer::best);

}  // namespace iolite
