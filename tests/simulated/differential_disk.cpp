// What one call gives on the simulated kernel is what it gives on the real one: files of a disk,
// and the calls that move their bytes to sockets. See session.hpp.
#include "session.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>

namespace iolite_test {
namespace {

using namespace iolite;

const std::string& path() {
  static const std::string p =
      "/tmp/iolite-differential-" + std::to_string(kernel::real().getpid());
  return p;
}

// Open for the script; gone after it.
class one_file {
 public:
  explicit one_file(session& s, int flags = O_RDWR) : s_(s) {
    fd = s.os().open(path().c_str(), flags | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    s.note("opened", fd >= 0);
  }
  one_file(const one_file&) = delete;
  one_file& operator=(const one_file&) = delete;
  ~one_file() {
    s_.os().close(fd);
    s_.os().unlink(path().c_str());
  }
  void write(off_t at, const std::string& bytes) {
    s_.note("pwrite", s_.os().pwrite(fd, bytes.data(), bytes.size(), at));
  }
  void read(off_t at, std::size_t most = 32) {
    std::string got(most, '?');
    const long n = s_.note("pread", s_.os().pread(fd, got.data(), most, at));
    if (n > 0) s_.note(got.substr(0, static_cast<std::size_t>(n)), 0);
  }
  void size() {
    struct stat about{};
    s_.note("fstat", s_.os().fstat(fd, &about));
    s_.note("size", about.st_size);
    s_.note("regular", S_ISREG(about.st_mode));
  }
  int fd = -1;

 private:
  session& s_;
};

TEST(differential, a_file_is_written_and_read) {
  expect_same([](session& s) {
    one_file f(s);
    f.size();
    f.read(0);
    f.write(0, "hello");
    f.read(0);
    f.read(2, 2);
    f.read(5);
    f.read(100);
    f.read(0, 0);
    f.write(8, "hole");
    f.read(0);
    f.size();
    f.write(1, "");
    s.note("fsync", s.os().fsync(f.fd));
    char c[4] = {};
    s.note("read", s.os().read(f.fd, c, 4));
    s.note("read", s.os().read(f.fd, c, 4));
    s.note("write", s.os().write(f.fd, "end", 3));
    s.note("read", s.os().read(f.fd, c, 4));
    s.note("read", s.os().read(f.fd, c, 4));
    s.note("it was", c[0]);
    f.size();
    s.note("pread", s.os().pread(f.fd, c, 4, -1));
    s.note("pwrite", s.os().pwrite(f.fd, c, 4, -1));
    s.poll(f.fd, POLLIN | POLLOUT);
    s.note("F_GETFL", s.os().fcntl(f.fd, F_GETFL));
  });
}

TEST(differential, files_are_opened_as_asked) {
  expect_same([](session& s) {
    const auto open = [&](int flags) {
      const int fd = s.keep(s.os().open(path().c_str(), flags, 0644));
      s.note("open", std::min(fd, 0));
      return fd;
    };
    open(O_RDONLY);
    const int w = open(O_WRONLY | O_CREAT | O_EXCL);
    open(O_WRONLY | O_CREAT | O_EXCL);
    open(O_RDONLY | O_DIRECTORY);
    char c[8] = {};
    s.note("read", s.os().read(w, c, 4));
    s.note("write", s.os().write(w, "abcdef", 6));
    const int r = open(O_RDONLY);
    s.note("write", s.os().write(r, "abc", 3));
    s.note("pwrite", s.os().pwrite(r, "abc", 3, 0));
    s.note("pread", s.os().pread(w, c, 3, 0));
    const int a = open(O_RDWR | O_APPEND);
    s.note("write", s.os().write(a, "g", 1));
    s.note("pwrite", s.os().pwrite(a, "h", 1, 0));
    s.note("read", s.os().read(r, c, 8));
    s.note(std::string(c, 8), 0);
    open(O_WRONLY | O_TRUNC);
    s.note("pread", s.os().pread(r, c, 8, 0));
    s.note("unlink", s.os().unlink(path().c_str()));
    s.note("unlink", s.os().unlink(path().c_str()));
    s.note("write", s.os().pwrite(w, "still", 5, 0));
    s.note("read", s.os().pread(r, c, 8, 0));
    open(O_RDONLY);
    s.note("empty", s.os().open("", O_RDONLY));
    s.note("root", s.os().open("/", O_RDWR));
    const int full = s.keep(s.os().open("/dev/full", O_RDWR));
    s.note("full", s.os().write(full, "x", 1));
    s.note("full", s.os().read(full, c, 8));
  });
}

TEST(differential, what_has_no_places_says_so) {
  expect_same([](session& s) {
    const auto [a, b] = s.unix_pair();
    char c[4] = {};
    s.note("pread", s.os().pread(a, c, 4, 0));
    s.note("pwrite", s.os().pwrite(a, c, 4, 0));
    s.note("fsync", s.os().fsync(a));
    s.note("fsync", s.os().fsync(-1));
    s.note("pread", s.os().pread(-1, c, 4, 0));
    one_file f(s);
    s.note("recv", s.os().recv(f.fd, c, 4, 0));
    const int ep = s.keep(s.os().epoll_create1(0));
    epoll_event e{.events = EPOLLIN, .data = {}};
    s.note("epoll_ctl", s.os().epoll_ctl(ep, EPOLL_CTL_ADD, f.fd, &e));
  });
}

TEST(differential, sendfile) {
  expect_same([](session& s) {
    const auto [a, b] = s.unix_pair();
    one_file f(s);
    f.write(0, "0123456789");
    off_t at = 2;
    s.note("sendfile", s.os().sendfile(a, f.fd, &at, 3));
    s.note("at", at);
    s.receive(b);
    s.note("sendfile", s.os().sendfile(a, f.fd, &at, 100));
    s.note("at", at);
    s.note("sendfile", s.os().sendfile(a, f.fd, &at, 100));
    s.receive(b);
    s.note("sendfile", s.os().sendfile(a, f.fd, nullptr, 4));
    s.note("sendfile", s.os().sendfile(a, f.fd, nullptr, 4));
    s.receive(b);
    at = -1;
    s.note("sendfile", s.os().sendfile(a, f.fd, &at, 4));
    s.note("sendfile", s.os().sendfile(a, b, nullptr, 4));
    s.note("sendfile", s.os().sendfile(-1, f.fd, nullptr, 4));
    s.note("sendfile", s.os().sendfile(a, -1, nullptr, 4));
    s.note("sendfile", s.os().sendfile(a, f.fd, nullptr, 0));
  });
}

TEST(differential, sendfile_to_who_has_no_room_or_has_gone) {
  expect_same([](session& s) {
    sigset_t pipe_signal, before;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    s.os().sigprocmask(SIG_BLOCK, &pipe_signal, &before);
    const auto [a, b] = s.unix_pair();
    one_file f(s);
    f.write(0, std::string(1 << 20, 'x'));
    off_t at = 0;
    long sent = 0;
    for (long n = 1; n > 0; sent += n) n = s.os().sendfile(a, f.fd, &at, 1 << 20);
    s.note("some", sent > 0 && sent < 1 << 20);
    s.note("at", at == sent + 1 || at == sent);
    s.note("sendfile", s.os().sendfile(a, f.fd, &at, 10));
    s.close(b);
    s.note("sendfile", s.os().sendfile(a, f.fd, &at, 10));
    constexpr timespec at_once{};
    sigset_t waiting;
    s.note("sigpending", s.os().sigpending(&waiting));
    s.note("waits", sigismember(&waiting, SIGPIPE));
    s.note("SIGPIPE", s.os().sigtimedwait(&pipe_signal, nullptr, &at_once));
    s.note("SIGPIPE", s.os().sigtimedwait(&pipe_signal, nullptr, &at_once));
    s.os().sigprocmask(SIG_SETMASK, &before, nullptr);
  });
}

TEST(differential, splice_from_a_file_to_a_socket) {
  expect_same([](session& s) {
    const auto [a, b] = s.unix_pair();
    int p[2] = {-1, -1};
    s.os().pipe2(p, O_CLOEXEC);
    s.keep(p[0]);
    s.keep(p[1]);
    one_file f(s);
    f.write(0, std::string(100'000, 'x'));
    const auto splice = [&](int from, off_t* from_at, int to, off_t* to_at, std::size_t n) {
      s.note("splice", s.os().splice(from, from_at, to, to_at, n, SPLICE_F_NONBLOCK));
    };
    off_t at = 4096;
    splice(f.fd, &at, p[1], nullptr, 10);
    s.note("at", at);
    splice(p[0], nullptr, a, nullptr, 4);
    s.receive(b);
    splice(p[0], nullptr, a, nullptr, 100);
    splice(p[0], nullptr, a, nullptr, 100);
    s.receive(b);
    at = 0;
    splice(f.fd, &at, p[1], nullptr, 1 << 20);
    splice(f.fd, &at, p[1], nullptr, 1 << 20);
    s.note("at", at);
    splice(p[0], nullptr, a, nullptr, 1 << 20);
    at = 100'000;
    splice(f.fd, &at, p[1], nullptr, 10);
    splice(f.fd, &at, a, nullptr, 10);
    splice(p[0], &at, a, nullptr, 10);
    splice(f.fd, &at, p[1], &at, 10);
    splice(-1, nullptr, a, nullptr, 10);
    splice(p[1], nullptr, a, nullptr, 10);
    splice(f.fd, nullptr, p[0], nullptr, 10);
    s.close(p[1]);
    splice(p[0], nullptr, a, nullptr, 10);
  });
}

}  // namespace
}  // namespace iolite_test
