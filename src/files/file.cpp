// See file.hpp: regular files.
#include "iolite/file.hpp"

#include "base/assert.hpp"
#include "core/perform.hpp"
#include "iolite/core/engine.hpp"

#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <utility>

namespace iolite {
namespace {

// A pipe, a socket or a terminal has no places: lseek(2).
bool can_seek(kernel& os, int fd) noexcept { return os.lseek(fd, 0, SEEK_CUR) != -ESPIPE; }

int flags_of(file_mode m) noexcept {
  switch (m) {
  case file_mode::read: return O_RDONLY;
  case file_mode::create: return O_WRONLY | O_CREAT | O_TRUNC;
  case file_mode::update: break;
  }
  return O_RDWR | O_CREAT;
}

}  // namespace

// --- operations ---

detail::file_operation::file_operation(const file& f, op_kind what, std::span<std::byte> bytes,
                                       std::uint64_t at) noexcept
    : file_(f), what_(what), bytes_(bytes), at_(at) {}

// Why it is not to be tried; 0: it is. Checked here for all engines: each facility has its own idea
// of what it does without a place, and io_uring_enter(2) takes an offset of -1 for "where it is".
int detail::file_operation::refusal() const noexcept {
  if (what_ == op_kind::sync || file_.fd_ < 0) return 0;
  if (!file_.has_places_) return -ESPIPE;
  return at_ > offset_max || bytes_.size() > offset_max - at_ ? -EINVAL : 0;
}

void detail::file_operation::describe(operation& op) const noexcept {
  op.kind = what_;
  op.fd = file_.fd_;
  op.payload = bytes_.data();
  op.size = bytes_.size();
  op.offset = at_;
  op.all = true;
}

bool detail::file_operation::begin_on_file(std::coroutine_handle<> h, const context& c) {
  engine_ = c.on;
  native_ = c.on->traits().files;
  ++file_.pending_;
  refused_ = refusal();
  if (refused_ < 0) return begin_over(h, c, refused_);
  if (native_) {
    describe(*this);
    return begin(h, c);
  }
  try {
    return hand_over(h, c);
  } catch (...) {  // there is no helper to be had
    --file_.pending_;
    throw;
  }
}

// A helper's, or a blocking engine's.
void detail::file_operation::call() noexcept {
  operation op;
  describe(op);
  int r = op.fd < 0 ? -EBADF : 0;
  while (r >= 0 && (op.moved < op.size || what_ == op_kind::sync)) {
    r = perform(engine_->os(), op, wait_in_call::yes, false);
    if (r <= 0) break;
    op.moved += static_cast<std::size_t>(r);
  }
  ended_with_ = r;
  got_ = op.moved;
}

result<std::size_t> detail::file_operation::end_on_file() noexcept {
  const int r = refused_ < 0 || native_ ? end() : take_back();
  --file_.pending_;
  if (r < 0) return failure(r);
  if (native_) return moved;
  if (ended_with_ < 0) return failure(ended_with_);
  return got_;
}

result<void> file_sync::await_resume() noexcept {
  if (const auto r = end_on_file(); !r) return std::unexpected(r.error());
  return {};
}

// --- the file ---

namespace {

// Both calls wait for as long as they like: for the other end of a FIFO, for a server that is gone.
class open_call final : public detail::owned_call {
 public:
  open_call(kernel& os, std::string path, int flags, unsigned permissions)
      : os_(os), path_(std::move(path)), flags_(flags), permissions_(permissions) {}
  ~open_call() override {
    if (got_ >= 0) os_.close(got_);
  }
  void call() noexcept override {
    do got_ = os_.open(path_.c_str(), flags_, permissions_);
    while (got_ == -EINTR);
    if (got_ >= 0) has_places_ = can_seek(os_, got_);
  }
  [[nodiscard]] int take() noexcept { return std::exchange(got_, -1); }
  [[nodiscard]] bool has_places() const noexcept { return has_places_; }

 private:
  kernel& os_;
  const std::string path_;
  const int flags_;
  const unsigned permissions_;
  int got_ = -1;
  bool has_places_ = true;
};

}  // namespace

task<result<file>> file::open(std::string path, file_mode mode, unsigned permissions) {
  engine& on = *(co_await here{}).on;
  const int flags = flags_of(mode) | O_CLOEXEC;
  auto call = std::make_unique<open_call>(on.os(), std::move(path), flags, permissions);
  open_call& opened = *call;
  detail::offloaded_owned opening(std::move(call));
  if (const auto done = co_await opening; !done) co_return std::unexpected(done.error());
  const int fd = opened.take();
  if (fd < 0) co_return failure(fd);
  co_return file(on, fd, opened.has_places());
}

file file::adopt(engine& on, int fd) noexcept { return file(on, fd, can_seek(on.os(), fd)); }

result<std::uint64_t> file::size() const noexcept {
  if (fd_ < 0) return failure(-EBADF);
  struct stat about{};
  if (const int r = engine_->os().fstat(fd_, &about); r < 0) return failure(r);
  return static_cast<std::uint64_t>(about.st_size);
}

void file::close() noexcept {
  if (fd_ >= 0) engine_->close(release());
}

int file::release() noexcept {
  IOLITE_ASSERT(pending_ == 0, "a file is moved and closed only while nothing is pending on it");
  return std::exchange(fd_, -1);
}

}  // namespace iolite
