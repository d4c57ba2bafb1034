// What one call gives on the simulated kernel is what it gives on the real one: paths, the files of
// unix sockets among them. See session.hpp.
#include "session.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace iolite_test {
namespace {

using namespace iolite;

// A directory for the script, and calls on names in it. Files are told apart by when they were
// first seen: inode numbers differ.
class folder {
 public:
  explicit folder(session& s) : s_(s) {
    path_ = "/tmp/iolite-paths-" + std::to_string(kernel::real().getpid());
    s.note("mkdir", s.os().mkdir(path_.c_str(), 0755));
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  ~folder() {
    for (const char* name : {"a", "b", "c", "s", "t", "d/in", "e/in", "e/s", "f/in"}) {
      s_.os().unlink(of(name).c_str());
    }
    for (const char* name : {"d/sub", "d", "e", "f"}) s_.os().rmdir(of(name).c_str());
    s_.note("rmdir", s_.os().rmdir(path_.c_str()));
  }
  [[nodiscard]] std::string of(const std::string& name) const { return path_ + "/" + name; }

  int bind(int fd, const std::string& name) {
    const sockaddr_un at = address(name);
    const int r = s_.os().bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at);
    s_.note("bind " + name, r);
    return fd;
  }
  int bind(const std::string& name) { return bind(s_.unix_socket(), name); }
  int listen(const std::string& name) {
    const int fd = bind(name);
    s_.note("listen", s_.os().listen(fd, 4));
    return fd;
  }
  int connect(int fd, const std::string& name) {
    const sockaddr_un at = address(name);
    s_.note("connect " + name,
            s_.os().connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at));
    return fd;
  }
  int connect(const std::string& name) { return connect(s_.unix_socket(), name); }
  int open(const std::string& name, int flags) {
    const int fd = s_.keep(s_.os().open(of(name).c_str(), flags | O_CLOEXEC, 0644));
    s_.note("open " + name, std::min(fd, 0));
    return fd;
  }
  void make(const std::string& name) { s_.close(open(name, O_RDWR | O_CREAT)); }
  void look(const std::string& name) {
    struct stat about{};
    const int r = s_.os().lstat(of(name).c_str(), &about);
    s_.note("lstat " + name, r);
    if (r < 0) return;
    const auto which = std::pair(about.st_dev, about.st_ino);
    s_.note("  it is", seen_.try_emplace(which, static_cast<long>(seen_.size())).first->second);
    s_.note("  mode", about.st_mode);
    s_.note("  size", S_ISDIR(about.st_mode) ? 0 : about.st_size);
  }
  void unlink(const std::string& name) {
    s_.note("unlink " + name, s_.os().unlink(of(name).c_str()));
  }
  void mkdir(const std::string& name) {
    s_.note("mkdir " + name, s_.os().mkdir(of(name).c_str(), 0755));
  }
  void rmdir(const std::string& name) { s_.note("rmdir " + name, s_.os().rmdir(of(name).c_str())); }
  void rename(const std::string& from, const std::string& to) {
    s_.note("rename " + from + " " + to, s_.os().rename(of(from).c_str(), of(to).c_str()));
  }

 private:
  [[nodiscard]] sockaddr_un address(const std::string& name) const {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    const std::string path = of(name);
    std::memcpy(at.sun_path, path.data(), std::min(path.size(), sizeof at.sun_path - 1));
    return at;
  }
  session& s_;
  std::string path_;
  std::map<std::pair<dev_t, ino_t>, long> seen_;
};

TEST(differential, binding_a_path_makes_a_file) {
  expect_same([](session& s) {
    folder at(s);
    at.look("s");
    const int l = at.bind("s");
    at.look("s");
    at.connect("s");
    s.note("listen", s.os().listen(l, 4));
    at.connect("s");
    at.bind("s");
    at.bind(l, "s");
    at.bind(l, "t");
    at.look("t");
    at.look("s/");
    s.close(l);
    at.look("s");
    at.connect("s");
    at.bind("s");
    at.unlink("s");
    at.look("s");
    at.connect("s");
    at.bind("s");
  });
}

TEST(differential, a_path_is_bound_where_nothing_is) {
  expect_same([](session& s) {
    folder at(s);
    at.make("a");
    at.mkdir("d");
    for (const char* name : {"a", "a/x", "d", "d/", "no/s", "no/", "d/../s", "./t", "d/in"}) {
      at.bind(name);
    }
    for (const char* name : {"s", "t", "a", "d", "d/in", "no"}) at.look(name);
  });
}

TEST(differential, connecting_to_what_is_no_socket_is_refused) {
  expect_same([](session& s) {
    folder at(s);
    at.make("a");
    at.mkdir("d");
    const int l = at.listen("s");
    for (const char* name : {"a", "a/x", "d", "no", "no/x", "s/", "s"}) at.connect(name);
    const int c = at.connect("s");
    for (const char* name : {"a", "no", "s"}) at.connect(c, name);
    for (const char* name : {"a", "no", "s"}) at.connect(l, name);
    const int bound = at.bind("t");
    at.connect(bound, "t");
    at.connect(bound, "s");
    at.connect("t");
  });
}

TEST(differential, a_path_that_is_unlinked_leads_nowhere_and_may_be_bound_again) {
  expect_same([](session& s) {
    folder at(s);
    const int first = at.listen("s");
    const int before = at.connect("s");
    at.unlink("s");
    at.connect("s");
    s.note("accept", std::min(s.keep(s.os().accept4(first, nullptr, nullptr, 0)), 0));
    s.send(before, "x");
    const int second = at.listen("s");
    at.look("s");
    at.connect("s");
    s.note("accept", s.os().accept4(first, nullptr, nullptr, SOCK_NONBLOCK));
    s.note("accept", std::min(s.keep(s.os().accept4(second, nullptr, nullptr, 0)), 0));
    s.close(first);
    at.look("s");
    at.connect("s");
    s.close(second);
    at.connect("s");
  });
}

TEST(differential, sockets_are_moved_like_files) {
  expect_same([](session& s) {
    folder at(s);
    const int l = at.listen("s");
    at.rename("s", "t");
    at.connect("s");
    at.connect("t");
    at.look("t");
    sockaddr_un told{};
    socklen_t bytes = sizeof told;
    s.note("getsockname", s.os().getsockname(l, reinterpret_cast<sockaddr*>(&told), &bytes));
    s.note("still s", at.of("s") == told.sun_path);
    at.make("a");
    at.rename("a", "t");
    at.connect("t");
    at.look("t");
    at.listen("s");
    at.listen("b");
    at.rename("b", "s");
    at.look("s");
    at.connect("s");
    at.connect("b");
    at.mkdir("d");
    at.mkdir("e");
    at.rename("s", "e/s");
    at.rename("e", "d");
    at.connect("d/s");
    at.unlink("d/s");
  });
}

TEST(differential, renaming) {
  expect_same([](session& s) {
    folder at(s);
    at.make("a");
    at.make("b");
    at.mkdir("d");
    at.mkdir("e");
    at.make("d/in");
    for (const auto& [from, to] :
         {std::pair("no", "c"), std::pair("a", "d"), std::pair("d", "a"), std::pair("d", "d/sub"),
          std::pair("e", "d"), std::pair("a", "a"), std::pair("a", "no/x"), std::pair("a", "b/x"),
          std::pair("a/", "c"), std::pair("a", "c/"), std::pair("d", "e"), std::pair("a", "b"),
          std::pair("e", "f/"), std::pair("b", "f/b")}) {
      at.rename(from, to);
    }
    for (const char* name : {"a", "b", "d", "e", "f", "f/in", "f/b"}) at.look(name);
    at.unlink("f/b");
  });
}

TEST(differential, directories) {
  expect_same([](session& s) {
    folder at(s);
    at.make("a");
    for (const char* name : {"d", "d", "a", "no/d", "a/d", "e/"}) at.mkdir(name);
    at.make("d/in");
    for (const char* name : {"d", "a", "no", "a/x", "e/"}) at.rmdir(name);
    for (const char* name : {"d", "d/", "a/", "no", "a/x"}) at.unlink(name);
    for (const char* name : {"d", "d/", "a/", "no/", "d/./in", "d/../a"}) at.look(name);
    s.note("rmdir", s.os().rmdir("/"));
    at.open("d", O_RDWR);
    at.open("d", O_RDONLY | O_CREAT);
    at.open("d", O_RDONLY | O_CREAT | O_EXCL);
    at.open("d/", O_RDWR | O_CREAT);
    at.open("a/", O_RDONLY);
    at.open("new/", O_RDWR | O_CREAT);
    at.open("a/x", O_RDONLY);
    at.open("a", O_RDONLY | O_DIRECTORY);
    const int d = at.open("d", O_RDONLY | O_DIRECTORY);
    char c[4] = {};
    s.note("read", s.os().read(d, c, 4));
    s.note("pread", s.os().pread(d, c, 4, 0));
    s.note("write", s.os().write(d, c, 4));
    s.note("fsync", s.os().fsync(d));
    struct stat about{};
    s.note("fstat", s.os().fstat(d, &about));
    s.note("directory", S_ISDIR(about.st_mode));
  });
}

TEST(differential, sockets_are_not_opened_as_files) {
  expect_same([](session& s) {
    folder at(s);
    const int l = at.listen("s");
    for (const int flags : {O_RDONLY, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL,
                            O_RDWR | O_TRUNC, O_RDONLY | O_DIRECTORY}) {
      at.open("s", flags);
    }
    at.rmdir("s");
    struct stat about{};
    s.note("fstat", s.os().fstat(l, &about));
    s.note("mode", about.st_mode);
    at.connect("s");
  });
}

TEST(differential, locks_of_files_and_directories) {
  expect_same([](session& s) {
    folder at(s);
    at.mkdir("d");
    at.make("a");
    for (const char* name : {"d", "a"}) {
      const int one = at.open(name, O_RDONLY), two = at.open(name, O_RDONLY);
      const int same = s.keep(s.os().dup(one));
      const auto lock = [&s](int fd, int how) { s.note("flock", s.os().flock(fd, how | LOCK_NB)); };
      lock(one, LOCK_EX);
      lock(one, LOCK_EX);
      lock(same, LOCK_EX);
      lock(two, LOCK_EX);
      lock(two, LOCK_SH);
      s.close(one);
      lock(two, LOCK_EX);
      lock(same, LOCK_SH);
      lock(two, LOCK_SH);
      lock(two, LOCK_EX);  // and loses what it had
      lock(same, LOCK_EX);
      lock(two, LOCK_SH);
      lock(same, LOCK_UN);
      lock(two, LOCK_EX);
      lock(same, LOCK_SH);
      s.close(two);
      lock(same, LOCK_EX);
      s.close(same);
      lock(at.open(name, O_RDONLY), LOCK_EX);
    }
    s.note("flock", s.os().flock(s.unix_socket(), LOCK_EX | LOCK_NB));
    s.note("flock", s.os().flock(-1, LOCK_EX));
  });
}

TEST(differential, a_unix_listener_that_is_shut_down_refuses_newcomers) {
  for (const int how : {SHUT_RD, SHUT_WR, SHUT_RDWR}) {
    static int which;
    which = how;
    expect_same([](session& s) {
      folder at(s);
      const int l = at.listen("s");
      const int queued = at.connect("s");
      s.note("shutdown", s.os().shutdown(l, which));
      s.poll(l, POLLIN | POLLOUT | POLLRDHUP);
      at.connect("s");
      const int got = s.keep(s.os().accept4(l, nullptr, nullptr, SOCK_NONBLOCK));
      s.note("accept", std::min(got, 0));
      if (which == SHUT_WR) s.keep(s.os().accept4(l, nullptr, nullptr, SOCK_NONBLOCK));
      s.note("accept", s.os().accept4(l, nullptr, nullptr, SOCK_NONBLOCK));
      s.poll(l, POLLIN | POLLOUT | POLLRDHUP);
      s.os().fcntl(l, F_SETFL, 0);
      if (which != SHUT_WR) s.note("accept", s.os().accept4(l, nullptr, nullptr, 0));
      s.send(queued, "hello");
      s.receive(got);
    });
  }
}

TEST(differential, a_unix_socket_is_bound_once) {
  expect_same([](session& s) {
    folder at(s);
    const sockaddr_un nameless{.sun_family = AF_UNIX, .sun_path = {}};
    const auto* const any = reinterpret_cast<const sockaddr*>(&nameless);
    const int somewhere = s.unix_socket();
    s.note("bind", s.os().bind(somewhere, any, sizeof(sa_family_t)));
    sockaddr_un told{};
    socklen_t bytes = sizeof told;
    s.note("getsockname",
           s.os().getsockname(somewhere, reinterpret_cast<sockaddr*>(&told), &bytes));
    s.note("bytes", bytes);
    s.note("bind", s.os().bind(somewhere, any, sizeof(sa_family_t)));
    at.bind(somewhere, "s");
    at.look("s");
    s.note("bind", s.os().bind(somewhere, reinterpret_cast<sockaddr*>(&told), bytes));
    s.note("bind", s.os().bind(s.unix_socket(), reinterpret_cast<sockaddr*>(&told), bytes));
    s.close(somewhere);
    s.note("bind", s.os().bind(s.unix_socket(), reinterpret_cast<sockaddr*>(&told), bytes));
  });
}

}  // namespace
}  // namespace iolite_test
