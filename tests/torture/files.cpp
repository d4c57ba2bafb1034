// Scenarios of files, calls on helpers, and messages.
#include "pieces.hpp"

#include <stdexcept>

namespace iolite_test {
namespace {

using namespace iolite;

task<> call_out() {
  const auto r = co_await offload([] { return 42; });
  static_cast<void>(r);
}
void offload_once(engine& on) { on.run(call_out()); }

task<> call_out_and_throw() {
  static_cast<void>(co_await offload([]() -> int { throw std::runtime_error("from a helper"); }));
}
void offload_throws(engine& on) { on.run(call_out_and_throw()); }

task<> many_calls() {
  return in_scope([](iolite::scope& s) -> task<> {
    for (int i = 0; i < 12; ++i) start(s, call_out());
    co_await sleep(std::chrono::microseconds(50));
    s.cancel();
  });
}
void offloads_cancelled(engine& on) { on.run(many_calls()); }

task<> write_and_read(std::string path) {
  std::string text = "some bytes";
  const auto out = co_await file::open(path, file_mode::create);
  if (!out) co_return;
  if (!co_await out->write_at(0, bytes_of(text))) co_return;
  if (!co_await out->sync()) co_return;
  const auto in = co_await file::open(path, file_mode::read);
  if (!in || !in->size()) co_return;
  static_cast<void>(co_await in->read_at(0, bytes_of(text)));
}
void file_written_and_read(engine& on) {
  const temporary_file here;
  on.run(write_and_read(here.path()));
}

task<> read_part(const file& from, std::uint64_t at) {
  std::string into(1000, '\0');
  static_cast<void>(co_await from.read_at(at, bytes_of(into)));
}
task<> read_in_parts(std::string path) {
  const auto from = co_await file::open(path, file_mode::read);
  if (!from) co_return;
  co_await in_scope([&](iolite::scope& s) -> task<> {
    for (std::uint64_t i = 0; i < 4; ++i) start(s, read_part(*from, i * 1000));
    co_return;
  });
}
void file_read_in_parts_at_once(engine& on) {
  const temporary_file here;
  here.write(pattern(4000));
  on.run(read_in_parts(here.path()));
}

task<> open_in_vain(std::string path) {
  static_cast<void>(co_await file::open(path, file_mode::read));
}
void file_missing(engine& on) {
  const own_path here;
  on.run(open_in_vain(here.path()));
}

task<> send_by(stream to, std::string path, transfer how) {
  to.set_idle_timeout(patience);
  const auto from = co_await file::open(path, file_mode::read);
  if (!from) co_return;
  static_cast<void>(co_await send_file(to, *from, 0, whole_file, how));
}
template <transfer How>
void file_sent(engine& on) {
  const temporary_file here;
  here.write(pattern(10'000));
  half_pair p = unix_half(on);
  on.run(send_by(std::move(p.ours), here.path(), How));
}

void file_sent_to_nobody(engine& on) {
  const temporary_file here;
  here.write(pattern(10'000));
  half_pair p = tcp_half(on);
  p.theirs.reset();
  on.run(send_by(std::move(p.ours), here.path(), transfer::best));
}

task<> swap_messages(stream a, stream b) {
  a.set_idle_timeout(patience);
  b.set_idle_timeout(patience);
  frames to(a);
  frames from(b);
  const auto asked = co_await to.send("question");
  if (!asked) co_return;
  const auto heard = co_await from.receive();
  if (!heard) co_return;
  const auto answered = co_await from.send("answer");
  if (answered) static_cast<void>(co_await to.receive());
}
void framed_messages(engine& on) {
  stream_pair p = unix_streams(on);
  on.run(swap_messages(std::move(p.a), std::move(p.b)));
}

task<> longer_and_longer(stream a, stream b) {
  a.set_idle_timeout(patience);
  b.set_idle_timeout(patience);
  frames to(a);
  frames from(b);
  for (std::size_t n = 10; n <= 10'000; n *= 10) {
    const std::string message = pattern(n);
    const auto sent = co_await to.send(message);
    if (!sent) co_return;
    const auto got = co_await from.receive();
    if (!got) co_return;
  }
}
void messages_that_grow(engine& on) {
  stream_pair p = tcp_streams(on);
  on.run(longer_and_longer(std::move(p.a), std::move(p.b)));
}

task<> cut_message(stream s) {
  s.set_idle_timeout(patience);
  frames from(s);
  static_cast<void>(co_await from.receive());
}
void message_cut_by_the_end(engine& on) {
  half_pair p = unix_half(on);
  p.theirs.send_all(std::string("\0\0\0\7abc", 7));
  p.theirs.half_close();
  on.run(cut_message(std::move(p.ours)));
}

constexpr scenario scenarios[] = {
    {"offload_once", offload_once},
    {"offload_throws", offload_throws},
    {"offloads_cancelled", offloads_cancelled, 2},
    {"file_written_and_read", file_written_and_read},
    {"file_read_in_parts_at_once", file_read_in_parts_at_once},
    {"file_missing", file_missing},
    {"file_sent_the_best_way", file_sent<transfer::best>},
    {"file_sent_by_copy", file_sent<transfer::copy>},
    {"file_sent_by_splice", file_sent<transfer::splice>},
    {"file_sent_to_nobody", file_sent_to_nobody},
    {"framed_messages", framed_messages},
    {"messages_that_grow", messages_that_grow},
    {"message_cut_by_the_end", message_cut_by_the_end},
};

}  // namespace

std::span<const scenario> file_scenarios() noexcept { return scenarios; }

}  // namespace iolite_test
