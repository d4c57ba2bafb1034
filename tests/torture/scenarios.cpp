// See scenarios.hpp.
#include "scenarios.hpp"

#include "support/files.hpp"
#include "support/streams.hpp"

#include <array>

namespace iolite_test {
namespace {

using namespace iolite;
using namespace std::chrono_literals;

constexpr auto patience = 40ms;

task<bool> say(stream& to, std::string_view text) {
  const auto r = co_await (to.send_all(text) | within{patience});
  co_return r.has_value();
}
task<bool> hear(stream& from, std::size_t bytes) {
  std::array<std::byte, 256> into;
  const auto r = co_await (from.recv_all(std::span(into).first(bytes)) | within{patience});
  co_return r.has_value();
}

// Gives back what it receives; ends when there is nothing for some time.
task<> patient_echo(stream peer) {
  std::array<std::byte, 256> into;
  for (;;) {
    const auto n = co_await (peer.recv(into) | within{patience});
    if (!n || *n == 0) co_return;
    const auto sent =
        co_await (peer.send_all(std::span<const std::byte>(into).first(*n)) | within{patience});
    if (!sent) co_return;
  }
}
task<> patient_echo_leases(stream peer) {
  for (;;) {
    const auto got = co_await (peer.recv_lease() | within{patience});
    if (!got || got->empty()) co_return;
    const auto sent = co_await (peer.send_all(got->bytes()) | within{patience});
    if (!sent) co_return;
  }
}

task<> accept_one(listener& from, task<> (*handler)(stream)) {
  auto peer = co_await (from.accept() | within{patience});
  if (peer) co_await handler(std::move(*peer));
}

// Where a child needs a thread and an engine there may be none: the others go on.
// False: there is no thread for it.
bool start(scope& s, task<> child) {
  try {
    s.spawn(std::move(child));
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

task<> ask(endpoint to) {
  auto peer = co_await stream::connect(to, patience);
  if (!peer) co_return;
  const bool said = co_await say(*peer, "question");
  if (said) co_await hear(*peer, 8);
}

task<> serve_once(engine& on, endpoint at, task<> (*handler)(stream), int clients) {
  auto l = listener::open(on, at);
  if (!l) co_return;
  const endpoint where = l->local();
  scope s;
  for (int i = 0; i < clients; ++i) start(s, ask(where));
  for (int i = 0; i < clients; ++i) co_await accept_one(*l, handler);
  co_await s.join();
}

endpoint any_port() { return *endpoint::parse("127.0.0.1:0"); }

void echo_once(engine& on) { on.run(serve_once(on, any_port(), patient_echo, 1)); }

void many_connections(engine& on) { on.run(serve_once(on, any_port(), patient_echo, 4)); }

void lease_echo(engine& on) { on.run(serve_once(on, any_port(), patient_echo_leases, 1)); }

void unix_echo(engine& on) {
  const temporary_folder folder;
  on.run(serve_once(on, *endpoint::parse("unix:" + (folder / "s")), patient_echo, 1));
}

void connect_refused(engine& on) { on.run(ask(unused_address())); }

task<> converse(stream_pair pair) {
  scope s;
  start(s, patient_echo(std::move(pair.b)));
  const bool said = co_await say(pair.a, "abc");
  if (said) co_await hear(pair.a, 3);
  static_cast<void>(pair.a.shutdown_write());
  co_await hear(pair.a, 1);
  pair.a.close();
  co_await s.join();
}
void unix_pair(engine& on) { on.run(converse(unix_streams(on))); }
void half_close(engine& on) { on.run(converse(tcp_streams(on))); }

task<> wait_for_bytes(stream from, outcome& out) {
  const auto r = co_await receive(from);
  out.set(r);
}
task<> cancel_it(stream s, outcome& out) {
  scope children;
  start(children, wait_for_bytes(std::move(s), out));
  co_await iolite::sleep(1ms);
  children.cancel();
  co_await children.join();
}
void cancel_pending(engine& on) {
  half_pair p = unix_half(on);
  outcome out;
  on.run(cancel_it(std::move(p.ours), out));
}

task<> time_out(stream s) {
  co_await hear(s, 1);
  co_await iolite::sleep(2ms);
}
void deadline(engine& on) {
  half_pair p = unix_half(on);
  on.run(time_out(std::move(p.ours)));
}

task<> produce(channel<int>& to) {
  for (int i = 0; i < 5; ++i) {
    const auto r = co_await to.send(i);
    if (!r) break;
  }
  to.close();
}
task<> hop() {
  channel<int> c(1);
  scope s;
  if (!start(s, produce(c))) c.close();
  for (;;) {
    const auto v = co_await c.receive();
    if (!v) break;
  }
  co_await s.join();
}
void channel_hop(engine& on) { on.run(hop()); }

task<> look(int fd) {
  co_await (ready(fd, interest::write) | within{patience});
  co_await (ready(fd, interest::read) | within{2ms});
}
void foreign_descriptor(engine& on) {
  const raw_pair p = raw_unix_pair();
  on.run(look(p.a.fd()));
}

task<> answer_and_finish(stream peer) {
  const bool heard = co_await hear(peer, 8);
  if (heard) co_await say(peer, "question");
  co_await peer.finish(patience);
}
void polite_end(engine& on) { on.run(serve_once(on, any_port(), answer_and_finish, 1)); }

task<> call_out() {
  const auto r = co_await offload([] { return 42; });
  static_cast<void>(r);
}
void offload_once(engine& on) { on.run(call_out()); }

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

task<> send_in_each_way(stream to, std::string path) {
  to.set_idle_timeout(patience);
  const auto from = co_await file::open(path, file_mode::read);
  if (!from) co_return;
  for (const transfer how : {transfer::best, transfer::copy, transfer::splice}) {
    if (!co_await send_file(to, *from, 0, whole_file, how)) co_return;
  }
}
void file_sent(engine& on) {
  const temporary_file here;
  here.write(pattern(10'000));
  half_pair p = unix_half(on);
  on.run(send_in_each_way(std::move(p.ours), here.path()));
}

task<> swap_messages(stream a, stream b) {
  a.set_idle_timeout(patience);
  b.set_idle_timeout(patience);
  frames to(a);
  frames from(b);
  if (!co_await to.send("question") || !co_await from.receive()) co_return;
  if (!co_await from.send("answer")) co_return;
  static_cast<void>(co_await to.receive());
}
void framed_messages(engine& on) {
  stream_pair p = unix_streams(on);
  on.run(swap_messages(std::move(p.a), std::move(p.b)));
}

constexpr scenario scenarios[] = {
    {"echo_once", echo_once},
    {"many_connections", many_connections},
    {"lease_echo", lease_echo},
    {"unix_echo", unix_echo},
    {"connect_refused", connect_refused},
    {"unix_pair", unix_pair},
    {"half_close", half_close},
    {"cancel_pending", cancel_pending},
    {"deadline", deadline},
    {"channel_hop", channel_hop},
    {"foreign_descriptor", foreign_descriptor},
    {"polite_end", polite_end},
    {"offload_once", offload_once},
    {"file_written_and_read", file_written_and_read},
    {"file_sent", file_sent},
    {"framed_messages", framed_messages},
};

}  // namespace

std::span<const scenario> all_scenarios() noexcept { return scenarios; }

}  // namespace iolite_test
