// Scenarios of endings: half-closes, resets, deadlines, cancels.
#include "pieces.hpp"

#include <array>

namespace iolite_test {
namespace {

using namespace iolite;

task<> converse(stream_pair pair) {
  co_await in_scope([&](iolite::scope& s) -> task<> {
    start(s, patient_echo(std::move(pair.b)));
    const bool said = co_await say(pair.a, "abc");
    if (said) co_await hear(pair.a, 3);
    static_cast<void>(pair.a.shutdown_write());
    co_await hear(pair.a, 1);
    pair.a.close();
  });
}
void unix_pair(engine& on) { on.run(converse(unix_streams(on))); }
void half_close(engine& on) { on.run(converse(tcp_streams(on))); }

task<> answer_after_the_end(stream_pair p) {
  const bool asked = co_await say(p.a, "question");
  if (!asked || !p.a.shutdown_write()) co_return;
  const bool heard = co_await hear(p.b, 8);
  if (!heard) co_return;
  co_await hear(p.b, 1);  // the end
  const bool answered = co_await say(p.b, "answer");
  if (answered) co_await hear(p.a, 6);
}
void answer_to_a_half_closed_peer(engine& on) { on.run(answer_after_the_end(tcp_streams(on))); }

task<> end_both(stream_pair p) {
  static_cast<void>(p.a.shutdown_write());
  static_cast<void>(p.b.shutdown_write());
  co_await hear(p.a, 1);
  co_await hear(p.b, 1);
}
void both_ends_at_once(engine& on) { on.run(end_both(tcp_streams(on))); }

task<> wait_for_bytes(stream from, outcome& out) {
  const auto r = co_await receive(from);
  out.set(r);
}
task<> cancel_it(stream s, outcome& out) {
  co_await in_scope([&](iolite::scope& children) -> task<> {
    start(children, wait_for_bytes(std::move(s), out));
    co_await iolite::sleep(1ms);
    children.cancel();
  });
}
void cancel_pending(engine& on) {
  half_pair p = unix_half(on);
  outcome out;
  on.run(cancel_it(std::move(p.ours), out));
}

task<> cancel_the_send(stream s, const std::string& bytes, outcome& out) {
  co_await in_scope([&](iolite::scope& children) -> task<> {
    start(children, sending(std::move(s), bytes, out));
    co_await iolite::sleep(1ms);
    children.cancel();
  });
}
void cancel_a_send(engine& on) {
  half_pair p = unix_half(on);
  const std::string bytes = pattern(1 << 20);
  outcome out;
  on.run(cancel_the_send(std::move(p.ours), bytes, out));
}

task<> time_out(stream s) {
  co_await hear(s, 1);
  co_await iolite::sleep(2ms);
}
void deadline(engine& on) {
  half_pair p = unix_half(on);
  on.run(time_out(std::move(p.ours)));
}

task<> idle(stream s) {
  s.set_idle_timeout(2ms);
  std::array<std::byte, 8> into;
  static_cast<void>(co_await s.recv(into));
  static_cast<void>(co_await s.recv_lease());
}
void idle_timeout(engine& on) {
  half_pair p = unix_half(on);
  on.run(idle(std::move(p.ours)));
}

task<> send_until_it_times_out(stream s, const std::string& bytes) {
  static_cast<void>(co_await (s.send_all(bytes) | within{2ms}));
}
void send_times_out(engine& on) {
  half_pair p = unix_half(on);
  const std::string bytes = pattern(1 << 20);
  on.run(send_until_it_times_out(std::move(p.ours), bytes));
}

task<> after_a_reset(stream s) {
  std::array<std::byte, 8> into;
  static_cast<void>(co_await (s.recv(into) | within{patience}));
  co_await say(s, "anybody?");
  co_await say(s, "nobody");
}
void reset_by_the_peer(engine& on) {
  half_pair p = tcp_half(on);
  p.theirs.reset();
  on.run(after_a_reset(std::move(p.ours)));
}
void peer_gone(engine& on) {
  half_pair p = unix_half(on);
  p.theirs.close();
  on.run(after_a_reset(std::move(p.ours)));
}

task<> cut_short(stream s) {
  std::array<std::byte, 64> into;
  static_cast<void>(co_await (s.recv_all(into) | within{patience}));
}
void end_of_stream_within_recv_all(engine& on) {
  half_pair p = tcp_half(on);
  p.theirs.send_all("not 64 bytes");
  p.theirs.half_close();
  on.run(cut_short(std::move(p.ours)));
}

task<> answer_and_finish(stream peer) {
  const bool heard = co_await hear(peer, 8);
  if (heard) co_await say(peer, "question");
  co_await peer.finish(patience);
}
void polite_end(engine& on) { on.run(serve_some(on, any_port(), answer_and_finish, 1)); }

task<> finish_in_vain(stream s) { co_await s.finish(2ms); }
void finish_with_a_silent_peer(engine& on) {
  half_pair p = tcp_half(on);
  p.theirs.send_all("left unread");
  on.run(finish_in_vain(std::move(p.ours)));
}

task<> receive_there(stream& from, outcome& out) {
  std::array<std::byte, 8> into;
  const auto n = co_await (from.recv(into) | within{patience});
  out.set(n ? std::error_code() : n.error());
}
task<> close_it(stream s, outcome& out) {
  const bool blocking = (co_await here{}).on->traits().blocking;
  co_await in_scope([&](iolite::scope& children) -> task<> {
    start(children, receive_there(s, out));
    co_await iolite::sleep(1ms);
    if (blocking) children.cancel();  // another thread does not close it there
    else s.close();
  });
}
void close_while_it_receives(engine& on) {
  half_pair p = tcp_half(on);
  outcome out;
  on.run(close_it(std::move(p.ours), out));
}

task<> first_then_cancel(stream s, channel<int>& over, int who) {
  std::array<std::byte, 8> into;
  static_cast<void>(co_await (s.recv(into) | within{patience}));
  static_cast<void>(over.try_send(who));
}
task<> race(stream a, stream b, channel<int>& over) {
  co_await in_scope([&](iolite::scope& children) -> task<> {
    start(children, first_then_cancel(std::move(a), over, 1));
    start(children, first_then_cancel(std::move(b), over, 2));
    co_await sleep(1ms);
    static_cast<void>(over.try_receive());
    children.cancel();
  });
}
void race_of_two(engine& on) {
  half_pair one = unix_half(on), two = unix_half(on);
  two.theirs.send_all("first");
  channel<int> over(2);
  on.run(race(std::move(one.ours), std::move(two.ours), over));
}

constexpr scenario scenarios[] = {
    {"unix_pair", unix_pair},
    {"half_close", half_close},
    {"answer_to_a_half_closed_peer", answer_to_a_half_closed_peer},
    {"both_ends_at_once", both_ends_at_once},
    {"cancel_pending", cancel_pending},
    {"cancel_a_send", cancel_a_send},
    {"deadline", deadline},
    {"idle_timeout", idle_timeout},
    {"send_times_out", send_times_out},
    {"reset_by_the_peer", reset_by_the_peer},
    {"peer_gone", peer_gone},
    {"end_of_stream_within_recv_all", end_of_stream_within_recv_all},
    {"polite_end", polite_end},
    {"finish_with_a_silent_peer", finish_with_a_silent_peer},
    {"close_while_it_receives", close_while_it_receives},
    {"race_of_two", race_of_two},
};

}  // namespace

std::span<const scenario> ending_scenarios() noexcept { return scenarios; }

}  // namespace iolite_test
