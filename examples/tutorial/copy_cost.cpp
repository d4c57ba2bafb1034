// From a file to a socket, four ways, and what each costs in processor time.
//
// read + send copies every byte twice: from the page cache to the program, and from there to the
// socket. mmap + send saves the first copy and pays with page faults. sendfile and splice give the
// pages themselves to the socket; nothing of them is ever seen by this process. Whoever receives is
// another process, so that its time is not counted.
#include "support/options.hpp"
#include "support/sockets.hpp"

#include <cstdlib>
#include <fmt/core.h>
#include <fmt/format.h>
#include <iolite/iolite.hpp>
#include <map>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr std::size_t mib = 1 << 20;

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// Drops all it gets; its exit status tells whether that was the whole file.
void receive_in_child(int fd, std::size_t bytes) {
  std::vector<char> buffer(262'144);
  const int enough = 131'072;  // woken less often: that would cost the sender more than the bytes
  ::setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &enough, sizeof enough);
  std::size_t got = 0;
  for (ssize_t n = 0; (n = ::recv(fd, buffer.data(), buffer.size(), 0)) > 0;) {
    got += static_cast<std::size_t>(n);
  }
  ::_exit(got == bytes ? 0 : 1);
}

iolite::task<bool> by_mmap(iolite::stream& to, const iolite::file& from, std::size_t bytes) {
  void* const at = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, from.native_handle(), 0);
  if (at == MAP_FAILED) co_return false;
  const auto sent = co_await to.send_all(std::span(static_cast<std::byte*>(at), bytes));
  ::munmap(at, bytes);
  co_return sent.has_value();
}

iolite::task<bool> send_it(iolite::listener& from, std::string path, std::string way) {
  const auto file = co_await iolite::file::open(std::move(path), iolite::file_mode::read);
  auto to = co_await from.accept();
  if (!file || !to) co_return false;
  const std::uint64_t bytes = file->size().value_or(0);
  if (way == "mmap + send") co_return co_await by_mmap(*to, *file, bytes);
  using enum iolite::transfer;
  const auto how = way == "sendfile" ? sendfile : way == "splice" ? splice : copy;
  co_return co_await iolite::send_file(*to, *file, 0, bytes, how) == bytes;
}

// The calls that moved bytes, made since `before`: "pread 1024, send 1024".
std::string moved_by(std::map<std::string_view, std::uint64_t> before) {
  std::string out;
  for (const auto& [name, count] : iolite::system_calls()) {
    const std::uint64_t made = count - before[name];
    const bool moves = name == "pread" || name == "send" || name == "sendfile" ||
                       name == "splice" || name == "io_uring_enter" || name == "aio_read" ||
                       name == "aio_write";
    if (moves && made > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, made);
  }
  return out;
}

bool measure(const std::string& model, const std::string& path, std::size_t bytes,
             const std::string& way) {
  auto engine = iolite::make_engine(model);
  if (!engine) tutorial::fail(engine.error().message);
  auto listener = iolite::listener::open(**engine, *iolite::endpoint::parse("127.0.0.1:0"));
  if (!listener) tutorial::fail(listener.error().message);
  const iolite::endpoint at = listener->local();
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) ::_exit(1);
    const auto bytes_of_address = static_cast<socklen_t>(at.native_bytes());
    if (::connect(fd, static_cast<const sockaddr*>(at.native()), bytes_of_address) < 0) ::_exit(1);
    receive_in_child(fd, bytes);
  }
  std::map<std::string_view, std::uint64_t> before;
  for (const auto& c : iolite::system_calls()) before[c.name] = c.count;
  const double begin = cpu_seconds();
  const bool sent = child > 0 && (*engine)->run(send_it(*listener, path, way));
  const double us = (cpu_seconds() - begin) * 1e6 * mib / static_cast<double>(bytes);
  int status = -1;
  const bool whole = child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
  tutorial::say(fmt::format("{:<12} {:8.0f}   {}", way, us, moved_by(before)));
  return sent && whole;
}

}  // namespace

int main(int argc, char** argv) {
  std::string model = "epoll";
  int size = 256;
  tutorial::parse(argc, argv, "what a file to a socket costs, four ways",
                  {{"--model", &model, "the engine"}, {"--mib", &size, "how large a file"}});
  if (size < 1 || size > 4096) tutorial::fail("--mib: from 1 to 4096");
  const auto bytes = static_cast<std::size_t>(size) * mib;
  char path[] = "/tmp/iolite-copy-XXXXXX";
  const int fd = ::mkstemp(path);
  if (fd < 0) tutorial::fail("cannot make a file in /tmp");
  bool good = true;
  for (std::size_t i = 0; i < bytes && good; i += mib) {
    good = ::write(fd, std::string(mib, 'x').data(), mib) == static_cast<ssize_t>(mib);
  }
  ::close(fd);
  if (good)
    fmt::print("{} MiB on {}\nway          us CPU/MiB   calls that moved bytes\n", size, model);
  for (const char* way : {"read + send", "mmap + send", "sendfile", "splice"}) {
    good = good && measure(model, path, bytes, way);
  }
  ::unlink(path);
  if (!good) tutorial::fail("not all of the file went through");
}
