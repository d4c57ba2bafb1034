// An upload goes to the disk; is anybody else served meanwhile?
//
// A file is always "ready", so select(2) and the others cannot say that a write will take long, and
// fsync(2) does: called on the loop's thread (`--in-loop`) it stops everybody on that loop. The
// library's file operations run beside the loop: in the kernel on io_uring, in a helper elsewhere.
// With blocking calls and a thread for each connection nobody but the uploader ever waits.
//
//   disk_writer --model epoll             then, in one shell: yes | nc 127.0.0.1 7000 (echo)
//   and in another:  (echo upload; head -c 100M /dev/zero) | nc -N 127.0.0.1 7000
#include "support/options.hpp"
#include "support/sockets.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <fmt/core.h>
#include <iolite/iolite.hpp>
#include <string>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;

std::string path;
bool in_loop = false;
std::atomic<int> busy = 0;  // uploads whose bytes are on their way to the disk
std::atomic<int> answers_while_busy = 0;

// The longest time this loop did nothing: a timer of a millisecond that comes late.
iolite::task<> watch_stalls(iolite::clock::duration& longest) {
  for (auto before = iolite::clock::now(); co_await iolite::sleep(1ms);) {
    const auto now = iolite::clock::now();
    longest = std::max(longest, now - before - 1ms);
    before = now;
  }
}

// Writes and waits until it is on the disk, so that it takes long enough to be seen.
iolite::task<bool> to_disk(iolite::file& f, std::uint64_t at, std::span<const std::byte> bytes) {
  ++busy;
  bool ok = false;
  if (in_loop) {
    const auto n = ::pwrite(f.native_handle(), bytes.data(), bytes.size(), static_cast<off_t>(at));
    ok = n == static_cast<ssize_t>(bytes.size()) && ::fsync(f.native_handle()) == 0;
  } else {
    ok = co_await f.write_at(at, bytes) && co_await f.sync();
  }
  --busy;
  co_return ok;
}

// How many bytes have come.
iolite::task<std::uint64_t> receive_file(iolite::stream& peer) {
  auto f = co_await iolite::file::open(path, iolite::file_mode::create);
  std::vector<std::byte> piece(1 << 20);
  std::uint64_t written = 0;
  for (bool good = f.has_value(); good;) {
    const auto n = co_await peer.recv(piece);
    if (!n || *n == 0) break;
    good = co_await to_disk(*f, written, std::span(piece).first(*n));
    if (good) written += *n;
    else tutorial::say("cannot write to " + path);
  }
  co_return written;
}

iolite::task<> upload(iolite::stream& peer) {
  iolite::clock::duration longest{};
  const auto written =
      co_await iolite::in_scope([&](iolite::scope& watch) -> iolite::task<std::uint64_t> {
        watch.spawn(watch_stalls(longest));
        const auto bytes = co_await receive_file(peer);
        watch.cancel();
        co_return bytes;
      });
  const auto ms = std::chrono::duration<double, std::milli>(longest).count();
  tutorial::say(fmt::format("{} bytes on the disk; longest stall {:.1f} ms; {} answers to others "
                            "while the disk was busy",
                            written, ms, answers_while_busy.load()));
  static_cast<void>(co_await peer.send_all(fmt::format("{}\n", written)));
}

// A connection that begins with "upload\n" is one; the others get back what they send.
iolite::task<> serve(iolite::stream peer) {
  std::array<std::byte, 7> buffer;
  for (;;) {
    if (!co_await peer.recv_all(buffer)) co_return;
    const std::string_view text(reinterpret_cast<const char*>(buffer.data()), buffer.size());
    if (text == "upload\n") co_return co_await upload(peer);
    if (busy > 0) ++answers_while_busy;
    if (!co_await peer.send_all(buffer)) co_return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000";
  std::string model = "auto";
  path = "uploaded";
  tutorial::parse(argc, argv, "an upload to the disk beside other clients",
                  {{"--listen", &listen, "where"},
                   {"--model", &model, "the I/O model"},
                   {"--file", &path, "where uploads go"},
                   {"--in-loop", &in_loop, "write(2) and fsync(2) on the loop's thread"}});
  return iolite::serve_main(serve, {.model = model, .listen = {listen}, .shares_memory = true});
}
