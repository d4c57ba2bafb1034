// Paths of unix sockets: what a listener may remove, what it may not, and who gets a path that
// several want.
#include "support/engine_test.hpp"
#include "support/files.hpp"

#include "kernel/faulty.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <iterator>
#include <sys/file.h>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace iolite_test {
namespace {

using namespace iolite;

endpoint unix_at(const std::string& path) {
  const auto e = endpoint::parse("unix:" + path);
  if (!e) throw std::runtime_error(e.error().message);
  return *e;
}

std::uint64_t inode_of(const std::string& path) {
  struct stat about{};
  return system_of_test().lstat(path.c_str(), &about) < 0 ? 0 : about.st_ino;
}

bool is_there(const std::string& path) { return inode_of(path) != 0; }

// 0: somebody listens there.
int reach(const std::string& path) {
  raw_socket s;
  return raw_socket::try_connect(unix_at(path), s);
}

void leave_socket_behind(const std::string& path) { raw_listener::on_unix(path).close(); }

void expect_in_use(const std::expected<listener, error>& made) {
  ASSERT_FALSE(made.has_value()) << "it listens";
  EXPECT_EQ(made.error().code, std::errc::address_in_use) << made.error().message;
}

// --- what is no abandoned socket stays ---

TEST_P(engine, listening_leaves_a_regular_file_alone) {
  const temporary_file precious;
  precious.write("do not lose this");
  const std::uint64_t before = inode_of(precious.path());
  expect_in_use(listener::open(on(), unix_at(precious.path())));
  EXPECT_EQ(inode_of(precious.path()), before);
  EXPECT_EQ(precious.read(), "do not lose this");
}

TEST_P(engine, listening_leaves_a_directory_alone) {
  const temporary_folder folder;
  ASSERT_EQ(system_of_test().mkdir((folder / "d").c_str(), 0700), 0);
  expect_in_use(listener::open(on(), unix_at(folder / "d")));
  EXPECT_TRUE(is_there(folder / "d"));
}

TEST_P(engine, listening_follows_no_symbolic_link) {
  if (is_simulated()) GTEST_SKIP() << "a simulated disk has no links";
  const temporary_folder folder;
  leave_socket_behind(folder / "s");
  ASSERT_EQ(::symlink((folder / "s").c_str(), (folder / "link").c_str()), 0);
  const std::uint64_t link = inode_of(folder / "link"), target = inode_of(folder / "s");
  expect_in_use(listener::open(on(), unix_at(folder / "link")));
  EXPECT_EQ(inode_of(folder / "link"), link);
  EXPECT_EQ(inode_of(folder / "s"), target);
}

TEST_P(engine, listening_in_a_directory_that_is_not_there_says_so) {
  const temporary_folder folder;
  const auto made = listener::open(on(), unix_at(folder / "no/s"));
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, std::errc::no_such_file_or_directory) << made.error().message;
}

// --- several want one path ---

// Others run before each call that takes part in it.
class yielding final : public kernel {
 public:
  iolite::clock::time_point now() noexcept override { return system_of_test().now(); }
  kernel& undecorated() noexcept override { return system_of_test().undecorated(); }
  long invoke(call c, const call_args& a) noexcept override {
    constexpr call taking_part[] = {call::bind,    call::flock,  call::lstat,
                                    call::connect, call::unlink, call::listen};
    if (std::ranges::find(taking_part, c) != std::end(taking_part)) system_of_test().sched_yield();
    return system_of_test().invoke(c, a);
  }
};

TEST_P(engine, of_several_that_take_over_a_path_at_once_one_gets_it) {
  constexpr std::uint32_t servers = 4;
  yielding os;
  for (int round = 0; round < 4; ++round) {
    const temporary_folder folder;
    const std::string path = folder / "s";
    if (round > 0) leave_socket_behind(path);
    std::atomic<int> listening = 0, refused = 0;
    counter tried, looked;
    std::vector<std::unique_ptr<other_thread>> all;
    for (std::uint32_t i = 0; i < servers; ++i) {
      all.push_back(std::make_unique<other_thread>([&] {
        const auto own = new_engine(os, GetParam());
        const auto made = listener::open(*own, unix_at(path));
        if (made) ++listening;
        else if (made.error().code == std::errc::address_in_use) ++refused;
        tried.add_one();
        looked.await(1);  // none closes before all have tried
      }));
    }
    tried.await(servers);
    EXPECT_EQ(reach(path), 0) << "the path leads nowhere";
    looked.add_one();
    all.clear();
    EXPECT_EQ(listening, 1);
    EXPECT_EQ(refused, static_cast<int>(servers) - 1);
    EXPECT_FALSE(is_there(path));
  }
}

// Somebody else is between bind(2) and listen(2), or about to remove what it has found abandoned.
TEST_P(engine, a_path_is_not_taken_over_while_its_directory_is_locked) {
  kernel& os = system_of_test();
  const temporary_folder folder;
  leave_socket_behind(folder / "s");
  const std::uint64_t before = inode_of(folder / "s");
  const owned_fd lock(os.open((folder / "").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(os.flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  expect_in_use(listener::open(on(), unix_at(folder / "s")));
  EXPECT_EQ(inode_of(folder / "s"), before);
  EXPECT_TRUE(listener::open(on(), unix_at(folder / "other"))) << "a free path can be had";
  os.flock(lock.get(), LOCK_UN);
  EXPECT_TRUE(listener::open(on(), unix_at(folder / "s")));
}

TEST_P(engine, a_directory_that_may_not_be_read_is_no_obstacle_to_a_free_path) {
  on_faulty({{.what = call::open, .nth = 1, .times = fault::for_ever, .error = EACCES}});
  const temporary_folder folder;
  leave_socket_behind(folder / "abandoned");
  EXPECT_TRUE(listener::open(on(), unix_at(folder / "s")));
  EXPECT_FALSE(is_there(folder / "s"));
  expect_in_use(listener::open(on(), unix_at(folder / "abandoned")));
  EXPECT_TRUE(is_there(folder / "abandoned"));
}

TEST_P(engine, listening_leaves_no_descriptor_but_its_own) {
  const temporary_folder folder;
  leave_socket_behind(folder / "s");
  static_cast<void>(on());
  const int before = open_descriptors();
  const auto made = listener::open(on(), unix_at(folder / "s"));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(open_descriptors(), before + 1);
}

// --- when it is closed ---

TEST_P(engine, a_listener_leaves_its_successor_s_socket) {
  const temporary_folder folder;
  const std::string path = folder / "s";
  auto first = listener::open(on(), unix_at(path));
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_EQ(system_of_test().unlink(path.c_str()), 0);
  const raw_listener successor = raw_listener::on_unix(path);
  first->close();
  EXPECT_EQ(reach(path), 0);
}

TEST_P(engine, a_listener_leaves_what_was_moved_into_its_place) {
  const temporary_folder folder;
  const std::string path = folder / "s";
  auto first = listener::open(on(), unix_at(path));
  ASSERT_TRUE(first) << first.error().message;
  const raw_listener successor = raw_listener::on_unix(folder / "new");
  ASSERT_EQ(system_of_test().rename((folder / "new").c_str(), path.c_str()), 0);
  first->close();
  EXPECT_EQ(reach(path), 0);
}

// Looks when a path is removed.
class watching_unlink final : public kernel {
 public:
  iolite::clock::time_point now() noexcept override { return system_of_test().now(); }
  kernel& undecorated() noexcept override { return system_of_test().undecorated(); }
  long invoke(call c, const call_args& a) noexcept override {
    if (c == call::unlink) before_unlink();
    return system_of_test().invoke(c, a);
  }
  std::function<void()> before_unlink;
};

// Between close(2) and unlink(2) the path would seem to be abandoned.
TEST_P(engine, a_path_is_removed_before_its_socket_is_closed) {
  const temporary_folder folder;
  const std::string path = folder / "s";
  watching_unlink os;
  int removed = 0;
  os.before_unlink = [&] {
    ++removed;
    EXPECT_EQ(reach(path), 0) << "nobody listens any more";
  };
  {
    const auto own = new_engine(os, GetParam());
    const auto made = listener::open(*own, unix_at(path));
    ASSERT_TRUE(made) << made.error().message;
  }
  EXPECT_EQ(removed, 1);
  EXPECT_FALSE(is_there(path));
}

TEST_P(engine, a_moved_listener_removes_its_path_once) {
  const temporary_folder folder;
  const std::string path = folder / "s";
  auto first = listener::open(on(), unix_at(path));
  ASSERT_TRUE(first) << first.error().message;
  listener second = std::move(*first);
  first->close();
  EXPECT_EQ(reach(path), 0);
  second.close();
  EXPECT_FALSE(is_there(path));
}

TEST_P(engine, a_released_listener_leaves_its_path) {
  const temporary_folder folder;
  const std::string path = folder / "s";
  auto made = listener::open(on(), unix_at(path));
  ASSERT_TRUE(made) << made.error().message;
  const owned_fd fd(made->release());
  made->close();
  EXPECT_EQ(reach(path), 0);
}

// --- when something fails ---

TEST_P(engine, a_listener_that_cannot_be_made_leaves_no_path) {
  constexpr std::pair<call, int> failing[] = {{call::listen, EADDRINUSE}, {call::lstat, ENOMEM}};
  for (const auto& [what, error] : failing) {
    const temporary_folder folder;
    faulty os(system_of_test(), {{.what = what, .nth = 1, .error = error}});
    const auto own = new_engine(os, GetParam());
    EXPECT_FALSE(listener::open(*own, unix_at(folder / "s"))) << name_of(what);
    EXPECT_FALSE(is_there(folder / "s")) << name_of(what);
    EXPECT_TRUE(listener::open(*own, unix_at(folder / "s"))) << name_of(what);
  }
}

// From the n-th call of a kind on, or only that one. A failing unlink(2) leaves what it was to
// remove; nothing else is left, and nothing that belongs to others is removed.
void expect_to_harm_nobody(const std::string& engine, call what, std::uint64_t nth,
                           std::uint64_t times) {
  SCOPED_TRACE(std::string(name_of(what)) + " " + std::to_string(nth));
  const temporary_folder folder;
  const temporary_file precious;
  precious.write("do not lose this");
  const raw_listener alive = raw_listener::on_unix(folder / "alive");
  leave_socket_behind(folder / "abandoned");
  const std::uint64_t living = inode_of(folder / "alive"), left = inode_of(folder / "abandoned");
  faulty os(system_of_test(), {{.what = what, .nth = nth, .times = times, .error = ENOMEM}});
  os.arm(false);
  const auto own = new_engine(os, engine);
  os.arm(true);
  for (const char* name : {"free", "abandoned", "alive"}) {
    auto made = listener::open(*own, unix_at(folder / name));
    EXPECT_TRUE(!made || reach(folder / name) == 0) << name;
  }
  EXPECT_FALSE(listener::open(*own, unix_at(precious.path())));
  os.arm(false);
  EXPECT_EQ(precious.read(), "do not lose this");
  EXPECT_EQ(inode_of(folder / "alive"), living);
  EXPECT_EQ(reach(folder / "alive"), 0);
  if (what == call::unlink || what == call::lstat) return;
  EXPECT_FALSE(is_there(folder / "free"));
  const std::uint64_t now = inode_of(folder / "abandoned");
  EXPECT_TRUE(now == 0 || now == left) << "what it made is left behind";
}

TEST_P(engine, whatever_fails_only_an_abandoned_socket_goes_and_nothing_is_left) {
  for (const call what : {call::socket, call::open, call::flock, call::bind, call::lstat,
                          call::unlink, call::listen, call::connect, call::close}) {
    for (std::uint64_t nth = 1; nth <= 3; ++nth) {
      expect_to_harm_nobody(GetParam(), what, nth, 1);
      expect_to_harm_nobody(GetParam(), what, nth, fault::for_ever);
    }
  }
}

}  // namespace
}  // namespace iolite_test
