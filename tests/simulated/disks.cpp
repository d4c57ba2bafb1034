// Programs that read and write files of their host's disk. (Helper threads are not simulated: here
// are the engines that need none, and send_file, which needs none.)
#include "worlds.hpp"

#include "kernel/kernel.hpp"
#include "support/sockets.hpp"
#include "support/streams.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>

namespace iolite_test {
namespace {

using namespace iolite;

task<file> open_file(const char* path, int flags = O_RDWR | O_CREAT) {
  engine& on = *(co_await here{}).on;
  const int fd = on.os().open(path, flags | O_CLOEXEC, 0644);
  simulate::check(fd >= 0, "a file is opened");
  co_return file::adopt(on, fd);
}

template <class Program>
void on_file_engines(const simulate::options& o, Program program,
                     std::initializer_list<std::string_view> faults = {}) {
  for (const char* model : {"io_uring", "blocking"}) {
    std::vector<std::uint64_t> seen(faults.size());
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      simulate::world w(seed, o);
      w.run(w.add_host("host"), model, program);
      const auto r = w.finish();
      ASSERT_TRUE(r.ok()) << model << ": " << r.to_string();
      std::size_t i = 0;
      for (const std::string_view f : faults) seen[i++] += count(r, f);
    }
    for (const std::uint64_t n : seen) EXPECT_GT(n, 0U) << model;
  }
}

TEST(simulated_disk, what_is_written_is_read) {
  struct body {
    static task<> check() {
      const std::string text = pattern(20'000, 3);
      file f = co_await open_file("/data");
      std::string copy = text;
      simulate::check((co_await f.write_at(100, bytes_of(copy))).value_or(0) == text.size(), "all");
      simulate::check((co_await f.sync()).has_value(), "synced");
      simulate::check(f.size().value_or(0) == text.size() + 100, "its size");
      std::string got(text.size() + 10, '?');
      const auto n = co_await f.read_at(100, bytes_of(got));
      simulate::check(n.value_or(0) == text.size(), "less only at the end");
      got.resize(text.size());
      simulate::check(got == text, "the same bytes");
    }
  };
  on_file_engines({.faults = simulate::faults::some()}, body::check, {"short_file"});
}

TEST(simulated_disk, a_disk_is_full_until_something_is_removed) {
  struct body {
    static task<> check() {
      file big = co_await open_file("/big");
      std::string text(100'000, 'x');
      auto n = co_await big.write_at(0, bytes_of(text));
      simulate::check(!n && n.error() == std::errc::no_space_on_device, "no room");
      simulate::check(big.size().value_or(0) == 65'536, "but for a part");
      const file other = co_await open_file("/other");
      n = co_await other.write_at(0, bytes_of(text).first(1));
      simulate::check(!n && n.error() == std::errc::no_space_on_device, "for none");
      big.close();
      simulate::check((co_await here{}).on->os().unlink("/big") == 0, "removed");
      n = co_await other.write_at(0, bytes_of(text).first(65'536));
      simulate::check(n.value_or(0) == 65'536, "room again");
    }
  };
  on_file_engines({.disk_bytes = 65'536}, body::check);
}

TEST(simulated_disk, errors_of_the_disk_come_out) {
  struct body {
    static task<> check() {
      const file f = co_await open_file("/data");
      std::string text(1000, 'x');
      int failed = 0;
      for (int i = 0; i < 50; ++i) {
        const auto n = co_await f.write_at(0, bytes_of(text));
        simulate::check(n || n.error() == std::errc::io_error, "EIO, or all is well");
        const auto s = co_await f.sync();
        simulate::check(s || s.error() == std::errc::io_error, "EIO, or all is well");
        failed += n && s ? 0 : 1;
      }
      simulate::check(failed > 0, "some fail");
    }
  };
  on_file_engines({.faults = {.disk_error = 0.2}}, body::check, {"disk_error"});
}

// --- send_file ---

constexpr std::size_t sent_bytes = 300'000;

task<> send_a_file(stream peer, transfer how) {
  const file f = co_await open_file("/served", O_RDONLY);
  const auto n = co_await send_file(peer, f, 5, std::numeric_limits<std::uint64_t>::max(), how);
  simulate::check(n.value_or(0) == sent_bytes - 5, "sent");
}

task<> write_served() {
  const file f = co_await open_file("/served");
  const std::string text = pattern(sent_bytes, 1);
  kernel& os = (co_await here{}).on->os();
  for (std::size_t at = 0; at < text.size();) {
    const long n =
        os.pwrite(f.native_handle(), text.data() + at, text.size() - at, static_cast<off_t>(at));
    simulate::check(n > 0, "written");
    at += static_cast<std::size_t>(n);
  }
}

task<> receive_file(std::string from) {
  auto s = co_await stream::connect(parse(from));
  simulate::check(s.has_value(), "connected");
  std::string got(sent_bytes - 5, '\0');
  const auto all = co_await s->recv_all(std::as_writable_bytes(std::span(got)));
  simulate::check(all.has_value() && got == pattern(sent_bytes, 1).substr(5), "the same bytes");
}

TEST(simulated_disk, files_are_sent_on_every_model) {
  for (const char* model : {"select", "poll", "epoll", "signal", "nonblocking", "io_uring"}) {
    for (const transfer how : {transfer::sendfile, transfer::splice}) {
      for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        simulate::world w(seed, {.faults = simulate::faults::some(), .send_buffer = 10'000});
        const auto server = w.add_host("server"), client = w.add_host("client");
        w.run(server, "blocking", write_served);
        w.serve(server, [how](stream s) { return send_a_file(std::move(s), how); },
                {.model = model, .listen = {server.at(7000)}});
        w.run(client, model, [&] { return receive_file(server.at(7000)); });
        const auto r = w.finish();
        ASSERT_TRUE(r.ok()) << model << ": " << r.to_string();
      }
    }
  }
}

}  // namespace
}  // namespace iolite_test
