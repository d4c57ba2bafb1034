// Scenarios of connections: how they are made, used and shared.
#include "memory.hpp"
#include "pieces.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <sys/socket.h>

namespace iolite_test {
namespace {

using namespace iolite;

void echo_once(engine& on) { on.run(serve_some(on, any_port(), patient_echo, 1)); }
void many_connections(engine& on) { on.run(serve_some(on, any_port(), patient_echo, 4)); }
void accept_storm(engine& on) { on.run(serve_some(on, any_port(), patient_echo, 16)); }
void lease_echo(engine& on) { on.run(serve_some(on, any_port(), patient_echo_leases, 1)); }
void unix_echo(engine& on) {
  const own_path here;
  on.run(serve_some(on, here.unix_address(), patient_echo, 1));
}
void connect_refused(engine& on) { on.run(ask(unused_address())); }

task<> connect_within(endpoint to, clock::duration limit) {
  static_cast<void>(co_await stream::connect(to, limit));
}
void connect_times_out(engine& on) {
  const full_listener full;
  on.run(connect_within(full.listening.address(), 2ms));
}

task<> cancel_soon(endpoint to) {
  return in_scope([to](iolite::scope& s) -> task<> {
    start(s, connect_within(to, 1s));
    co_await sleep(1ms);
    s.cancel();
  });
}
void connect_cancelled(engine& on) {
  const full_listener full;
  on.run(cancel_soon(full.listening.address()));
}

// One accept may be pending on a listener: who holds the token accepts.
task<> accept_in_turn(listener& from, channel<int>& token) {
  for (int i = 0; i < 2; ++i) {
    const auto turn = co_await token.receive();
    if (!turn) co_return;
    auto peer = co_await (from.accept() | within{patience});
    if (!token.try_send(*turn)) co_return;
    if (peer) co_await patient_echo(std::move(*peer));
  }
}
task<> share_a_listener(engine& on) {
  auto l = listener::open(on, any_port());
  if (!l) co_return;
  const endpoint where = l->local();
  channel<int> token(1);
  token.try_send(1);
  co_await in_scope([&](iolite::scope& s) -> task<> {
    for (int i = 0; i < 2; ++i) start(s, accept_in_turn(*l, token));
    for (int i = 0; i < 4; ++i) co_await ask(where);
    token.close();
  });
}
void listener_shared_by_tasks(engine& on) { on.run(share_a_listener(on)); }

task<> two_on_one_port(engine& on) {
  listen_options shared;
  shared.reuse_port = true;
  auto first = listener::open(on, any_port(), shared);
  if (!first) co_return;
  const endpoint where = first->local();
  auto second = listener::open(on, where, shared);
  if (!second) co_return;
  co_await in_scope([&](iolite::scope& s) -> task<> {
    for (int i = 0; i < 3; ++i) start(s, ask(where));
    for (listener* l : {&*first, &*second}) co_await accept_one(*l, patient_echo);
  });
}
void listeners_on_one_port(engine& on) { on.run(two_on_one_port(on)); }

task<> adopt_and_serve(engine& on) {
  auto l = listener::open(on, any_port());
  if (!l) co_return;
  listener again = listener::adopt(on, l->release());
  const endpoint where = again.local();
  co_await in_scope([&](iolite::scope& s) -> task<> {
    start(s, ask(where));
    co_await accept_one(again, patient_echo);
  });
}
void adopted_listener(engine& on) { on.run(adopt_and_serve(on)); }

task<> accept_alone(listener& from) {
  static_cast<void>(co_await (from.accept() | within{patience}));
}
task<> close_while_it_accepts(engine& on) {
  auto l = listener::open(on, any_port());
  if (!l) co_return;
  co_await in_scope([&](iolite::scope& s) -> task<> {
    start(s, accept_alone(*l));
    co_await sleep(1ms);
    if (on.traits().blocking) s.cancel();  // a close is for the task that uses it there
    else l->close();
  });
}
void listener_closed_while_it_accepts(engine& on) { on.run(close_while_it_accepts(on)); }

task<> cancel_the_accept(engine& on) {
  auto l = listener::open(on, any_port());
  if (!l) co_return;
  co_await in_scope([&](iolite::scope& s) -> task<> {
    start(s, accept_alone(*l));
    co_await sleep(1ms);
    s.cancel();
  });
}
void accept_cancelled(engine& on) { on.run(cancel_the_accept(on)); }

task<> set_options(stream_pair p) {
  static_cast<void>(p.a.set_nodelay(true));
  static_cast<void>(p.a.set_keepalive(60s, 10s));
  static_cast<void>(p.a.set_user_timeout(30s));
  static_cast<void>(p.a.set_buffers(65536, 65536));
  static_cast<void>(p.a.local().to_string() + p.b.peer().to_string());
  const bool said = co_await say(p.a, "abc");
  if (said) co_await hear(p.b, 3);
}
void options_and_names(engine& on) { on.run(set_options(tcp_streams(on))); }

task<> receive_all_of(stream& from, std::size_t bytes) {
  std::array<std::byte, 4096> into;
  while (bytes > 0) {
    const auto n = co_await (from.recv(into) | within{patience});
    if (!n || *n == 0) co_return;
    bytes -= std::min(bytes, *n);
  }
}
task<> send_all_of(stream& to, const std::string& bytes) {
  static_cast<void>(co_await (to.send_all(bytes) | within{patience}));
  static_cast<void>(to.shutdown_write());
}
task<> move_much(stream_pair p, const std::string& bytes) {
  co_await in_scope([&](iolite::scope& s) -> task<> {
    start(s, send_all_of(p.a, bytes));
    start(s, receive_all_of(p.b, bytes.size()));
    co_return;
  });
}
void large_transfer(engine& on) {
  const std::string bytes = pattern(100'000);
  raw_pair raw = raw_unix_pair();
  raw.a.set_buffers(4608, 4608);
  raw.b.set_buffers(4608, 4608);
  on.run(move_much({adopt(on, std::move(raw.a)), adopt(on, std::move(raw.b))}, bytes));
}

task<> both_ways(stream_pair p, const std::string& bytes) {
  co_await in_scope([&](iolite::scope& s) -> task<> {
    start(s, send_all_of(p.a, bytes));
    start(s, send_all_of(p.b, bytes));
    start(s, receive_all_of(p.a, bytes.size()));
    start(s, receive_all_of(p.b, bytes.size()));
    co_return;
  });
}
void both_directions_at_once(engine& on) {
  const std::string bytes = pattern(10'000);
  on.run(both_ways(tcp_streams(on), bytes));
}

task<> keep_leases(stream_pair p) {
  std::array<lease, 8> kept;
  for (lease& one : kept) {
    const bool said = co_await say(p.a, "lease");
    if (!said) co_return;
    auto got = co_await (p.b.recv_lease() | within{patience});
    if (!got) co_return;
    one = std::move(*got);
  }
}
void leases_kept(engine& on) { on.run(keep_leases(unix_streams(on))); }

task<> drain_the_pool(stream_pair p) {
  static constexpr std::array<char, buffer_pool::buffer_bytes / 2> bytes{};  // wait, at any time
  std::vector<lease> kept;
  kept.reserve(256);
  for (std::size_t next = bytes.size(); kept.size() < kept.capacity();) {
    const bool said = co_await say(p.a, std::string_view(bytes.data(), next));
    if (!said) co_return;
    auto got = co_await (p.b.recv_lease() | within{20ms});
    if (!got) break;
    next = std::min(got->bytes().size(), bytes.size());
    kept.push_back(std::move(*got));
  }
  co_await in_scope([&](iolite::scope& s) -> task<> {
    start(s, [](stream& to) -> task<> { co_await say(to, "one more"); }(p.a));
    start(s, [](stream& from) -> task<> {
      static_cast<void>(co_await (from.recv_lease() | within{patience}));
    }(p.b));
    co_await sleep(1ms);
    kept.clear();
  });
}
// A dead server's socket, which may be replaced, and beside it a file, which may not be touched.
class taken_paths {
 public:
  taken_paths() {
    const memory::spared mine;
    dead_ = folder_.emplace() / "dead";
    file_ = *folder_ / "file";
    raw_listener::on_unix(dead_).close();
    std::ofstream(file_) << "precious";
  }
  taken_paths(const taken_paths&) = delete;
  taken_paths& operator=(const taken_paths&) = delete;
  ~taken_paths() {
    const memory::spared mine;
    std::string text;
    std::ifstream(file_) >> text;
    EXPECT_EQ(text, "precious");
    folder_.reset();
  }
  [[nodiscard]] endpoint dead() const { return at(dead_); }
  [[nodiscard]] endpoint file() const { return at(file_); }

 private:
  static endpoint at(const std::string& path) {
    const memory::spared mine;
    return *endpoint::parse("unix:" + path);
  }
  std::optional<temporary_folder> folder_;
  std::string dead_, file_;
};

void listening_where_something_is(engine& on) {
  const taken_paths here;
  const endpoint dead = here.dead(), file = here.file();
  EXPECT_FALSE(listener::open(on, file));
  const auto first = listener::open(on, dead);
  const auto second = listener::open(on, dead);
}

void pool_empty(engine& on) {
  on.limit_leases(buffer_pool::bytes_min);
  on.run(drain_the_pool(unix_streams(on)));
}

constexpr scenario scenarios[] = {
    {"echo_once", echo_once},
    {"many_connections", many_connections},
    {"accept_storm", accept_storm, 4},
    {"lease_echo", lease_echo},
    {"unix_echo", unix_echo},
    {"connect_refused", connect_refused},
    {"connect_times_out", connect_times_out, 2},
    {"connect_cancelled", connect_cancelled, 2},
    {"listener_shared_by_tasks", listener_shared_by_tasks, 2},
    {"listeners_on_one_port", listeners_on_one_port, 2},
    {"adopted_listener", adopted_listener},
    {"listener_closed_while_it_accepts", listener_closed_while_it_accepts},
    {"accept_cancelled", accept_cancelled},
    {"options_and_names", options_and_names},
    {"large_transfer", large_transfer},
    {"both_directions_at_once", both_directions_at_once},
    {"leases_kept", leases_kept},
    {"listening_where_something_is", listening_where_something_is},
    {"pool_empty", pool_empty, 40},
};

}  // namespace

std::span<const scenario> connection_scenarios() noexcept { return scenarios; }

}  // namespace iolite_test
