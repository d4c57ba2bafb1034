// Programs that are started get no descriptor of the library's.
#include "support/engine_test.hpp"

#include <fcntl.h>
#include <filesystem>

namespace iolite_test {
namespace {

using namespace iolite;

std::vector<int> not_closed_on_exec() {
  std::vector<int> out;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) out.push_back(fd);
  }
  return out;
}

task<> open_everything(listener& from, std::vector<int>& seen) {
  const auto connected = co_await stream::connect(from.local());
  const auto accepted = co_await from.accept();
  const auto opened = co_await file::open("/dev/null", file_mode::read);
  EXPECT_TRUE(connected);
  EXPECT_TRUE(accepted);
  EXPECT_TRUE(opened);
  seen = not_closed_on_exec();
}

TEST_P(engine, every_descriptor_is_close_on_exec) {
  const std::vector<int> before = not_closed_on_exec();
  auto l = listener::open(on(), *endpoint::parse("127.0.0.1:0"));
  ASSERT_TRUE(l);
  std::vector<int> seen;
  run(open_everything(*l, seen));
  EXPECT_EQ(seen, before);
}

}  // namespace
}  // namespace iolite_test
