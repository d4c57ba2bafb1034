// See files.hpp.
#include "support/files.hpp"

#include "kernel/kernel.hpp"
#include "support/sockets.hpp"
#include "support/system.hpp"

#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace iolite_test {
namespace {

int checked(long r, const std::string& path) {
  if (r < 0) throw std::system_error(static_cast<int>(-r), std::system_category(), path);
  return static_cast<int>(r);
}

std::string new_path(iolite::kernel& os) {
  static int made = 0;
  for (;;) {
    std::string path =
        "/tmp/iolite-test-" + std::to_string(::getpid()) + "-" + std::to_string(++made);
    const int fd = os.open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd == -EEXIST) continue;
    os.close(checked(fd, path));
    return path;
  }
}

}  // namespace

temporary_file::temporary_file() : path_(new_path(system_of_test())) {}

temporary_file::~temporary_file() { system_of_test().unlink(path_.c_str()); }

void temporary_file::write(const std::string& text) const {
  iolite::kernel& os = system_of_test();
  const owned_fd fd(checked(os.open(path_.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC), path_));
  for (std::size_t at = 0; at < text.size();) {
    at += static_cast<std::size_t>(checked(
        os.pwrite(fd.get(), text.data() + at, text.size() - at, static_cast<off_t>(at)), path_));
  }
}

std::string temporary_file::read() const {
  iolite::kernel& os = system_of_test();
  const owned_fd fd(checked(os.open(path_.c_str(), O_RDONLY | O_CLOEXEC), path_));
  std::string out, piece(65536, '\0');
  for (;;) {
    const int n = checked(
        os.pread(fd.get(), piece.data(), piece.size(), static_cast<off_t>(out.size())), path_);
    if (n == 0) break;
    out.append(piece, 0, static_cast<std::size_t>(n));
  }
  return out;
}

iolite::task<iolite::file> open_or_throw(std::string path, iolite::file_mode mode) {
  auto opened = co_await iolite::file::open(std::move(path), mode);
  if (!opened) throw std::system_error(opened.error());
  co_return std::move(*opened);
}

}  // namespace iolite_test
