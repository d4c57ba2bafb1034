// See player.hpp: the moves.
#include "player.hpp"

#include "transfers.hpp"

namespace iolite_test::differential {

using namespace iolite;
using namespace std::chrono_literals;

class part : transfers {
 public:
  part(performance& p, int me) : transfers(p, me), streams_(p.script_.links.size()) {}

  task<> play() {
    const auto& moves = all_.script_.moves;
    for (at_ = 0; at_ < moves.size(); ++at_) {
      const move& m = moves[at_];
      if (!m.fits) continue;
      if (m.what >= act::sleep) {
        if (static_cast<int>(m.link) == me_) co_await alone(m);
        continue;
      }
      const link_plan& l = all_.script_.links[m.link];
      if (l.connector != me_ && l.acceptor != me_) continue;
      const bool connects = l.connector == me_;
      stream& s = streams_[m.link];
      if (m.what == act::open && connects) co_await connect(m, s);
      else if (m.what == act::open) co_await accept(m, s);
      else if (connects == m.forth) co_await give(m, s);
      else co_await take(m, s);
    }
  }

 private:
  // --- connections ---

  task<> accept(const move& m, stream& into) {
    const context c = co_await here{};
    const link_plan& l = all_.script_.links[m.link];
    const std::string path = all_.unix_prefix_ + std::to_string(at_);
    const auto at = endpoint::parse(l.tcp ? all_.tcp_address_ : path);
    auto from = listener::open(*c.on, *at);
    saw("listen: " + told(from ? std::error_code() : from.error().code));
    if (from) all_.listening_[at_] = from->local();
    first().set();
    if (!from) co_return;
    auto s = co_await from->accept();
    saw("accept: " + told(s));
    if (s) into = std::move(*s);
    // Who connects has its connection, and nothing else is in the queue.
    co_await second().wait();
  }
  task<> connect(const move&, stream& into) {
    co_await first().wait();
    auto s = co_await stream::connect(all_.listening_[at_]);
    saw("connect: " + told(s));
    if (s) into = std::move(*s);
    second().set();
  }

  // --- moves of two: who gives, who takes ---

  task<> give(const move& m, stream& s);
  task<> take(const move& m, stream& s);

  task<> receive_in_vain(stream& s, const move& m) {
    const clock::duration limit = m.bytes % 2 == 0 ? 0ms : 1ms;
    std::array<std::byte, 100> buffer;
    if (m.how == way::whole) {
      const auto r = co_await (s.recv_all(buffer) | within{limit});
      saw("recv_all: " + told(r));
    } else if (m.how == way::pieces) {
      const auto n = co_await (s.recv(buffer) | within{limit});
      saw("recv: " + told(n));
    } else {
      const auto l = co_await (s.recv_lease() | within{limit});
      saw("recv_lease: " + told(l));
    }
  }
  task<> receive_beyond(stream& s, const move& m) {
    std::string buffer(m.due + m.bytes + m.more, '\0');
    auto op = s.recv_all(bytes_of(buffer));
    const auto r = co_await op;
    saw("recv_all: " + told(r) + " after " + told(std::string_view(buffer).substr(0, op.moved)));
  }
  // Difference `moved`: how much of what was there a receive that times out has taken. With the
  // rest it is all.
  task<> receive_too_much(stream& s, const move& m) {
    std::string buffer(m.due + m.bytes + m.more, '\0');
    auto op = s.recv_all(bytes_of(buffer));
    const auto r = co_await (op | within{1ms + all_.settles_});
    const std::size_t all = m.due + m.bytes, moved = std::min(op.moved, all);
    const auto rest = co_await s.recv_all(bytes_of(buffer).subspan(moved, all - moved));
    buffer.resize(all);
    saw("recv_all: " + told(r) + ", rest: " + told(rest) + ", all: " + told(buffer));
  }
  task<> send_in_vain(stream& s) {
    std::error_code why;
    while (!why) {
      const auto n = co_await s.send_all("x");
      if (!n) why = n.error();
      else co_await iolite::sleep(1ms);  // the peer's answer is on its way
    }
    saw("send: " + told_gone(why));
  }
  task<> use_closed(stream& s) {
    std::array<std::byte, 8> buffer;
    const auto received = co_await s.recv(buffer);
    saw("closed recv: " + told(received));
    const auto sent = co_await s.send_all("x");
    saw("closed send: " + told(sent));
    saw("closed shutdown: " + told(s.shutdown_write()));
  }
  task<> send_nothing(stream& s) {
    const auto sent = co_await s.send_all("");
    saw("send: " + told(sent));
  }
  task<> receive_nothing(stream& s) {
    const auto n = co_await s.recv({});
    saw("recv: " + told(n));
  }
  task<> give_frames(stream& s, const move& m) {
    iolite::frames f(s, {.max = 100'000});
    const std::array sizes = {m.bytes, m.more, std::size_t{0}};
    for (const std::size_t n : sizes) {
      const std::string all = pattern(n, static_cast<unsigned>(n));
      const auto sent = co_await f.send(all);
      saw("frame: " + told(sent));
    }
  }
  task<> take_frames(stream& s, const move& m) {
    iolite::frames f(s, {.max = 100'000});
    const std::array sizes = {m.bytes, m.more, std::size_t{0}};
    for (const std::size_t n : sizes) {
      if (n > 100'000) continue;  // was not sent
      const auto got = co_await f.receive();
      saw("frame: " + (got ? told(text(*got)) : told(got)));
    }
  }
  static task<> receive_one(stream& s, std::error_code& why) {
    std::array<std::byte, 8> buffer;
    const auto n = co_await s.recv(buffer);
    why = n ? std::error_code() : n.error();
  }
  task<> cancel_receive(stream& s) {
    std::error_code why;
    scope child;
    child.spawn(receive_one(s, why));
    child.cancel();
    co_await child.join();
    saw("cancelled recv: " + told(why));
  }
  task<> exchange(stream& s, const move& m, std::size_t out, std::size_t in) {
    scope sender;
    sender.spawn(send(s, m, out, true));
    co_await receive(s, m, in);
    co_await sender.join();
  }

  // Whole, so that it is there when a part of it is.
  task<> send_some_to_be_lost(stream& s, std::size_t bytes) {
    const std::string all = pattern(bytes);
    const auto sent = co_await s.send_all(all);
    saw("send: " + told(sent));
  }
  static task<> send_until_cut(stream& s, std::string_view all, std::error_code& why) {
    while (!why) {
      const auto n = co_await s.send_all(all);
      if (!n) why = n.error();
    }
  }
  // Difference `taken`: of a pending send and receive one gets the reset, and the other sees that
  // nothing more can be sent or received.
  task<> be_cut(stream& s) {
    const std::string all = pattern(100'000, static_cast<unsigned>(at_));
    std::error_code why;
    scope sender;
    sender.spawn(send_until_cut(s, all, why));
    std::array<std::byte, 16> buffer;
    const auto n = co_await s.recv(buffer);
    co_await sender.join();
    const bool at_end = n && *n == 0;
    saw("recv: " + (at_end ? "gone" : n ? told(n) : told_gone(n.error())));
    saw("send: " + told_gone(why));
    s.close();
  }
  // Not before all is there: what comes after the close is another matter.
  task<> close_unread(stream& s, std::size_t bytes) {
    std::string buffer(bytes, '\0');
    const auto r = co_await s.recv_all(bytes_of(buffer));
    saw("recv_all: " + told(r) + " " + told(buffer));
    if (all_.settles_ > 0ms) co_await iolite::sleep(all_.settles_);
    s.close();
  }

  // --- what is done alone ---

  static task<> sleep_long(std::error_code& why) {
    const auto r = co_await iolite::sleep(1h);
    why = r ? std::error_code() : r.error();
  }
  task<> alone(const move& m) {
    switch (m.what) {
    case act::sleep: {
      const auto r = co_await iolite::sleep(std::chrono::microseconds(m.more % 300));
      saw("sleep: " + told(r));
      co_return;
    }
    case act::cancelled_sleep: {
      std::error_code why;
      scope child;
      child.spawn(sleep_long(why));
      child.cancel();
      co_await child.join();
      saw("sleep: " + told(why));
      co_return;
    }
    case act::refused: {
      const std::string path = all_.unix_prefix_ + "nobody";
      const auto nobody = endpoint::parse(m.forth ? path : "127.0.0.1:1");
      const auto s = co_await stream::connect(*nobody);
      saw("connect: " + told(s));
      co_return;
    }
    case act::lonely_accept: {
      const context c = co_await here{};
      auto l = listener::open(*c.on, *endpoint::parse(all_.unix_prefix_ + std::to_string(at_)));
      if (!l) {
        saw("listen: " + told(l.error().code));
        co_return;
      }
      const clock::duration limit = m.forth ? 1ms : 0ms;
      const auto s = co_await (l->accept() | within{limit});
      saw("accept: " + told(s));
      co_return;
    }
    default: {  // long_wait
      event never_set;
      auto wait = never_set.wait();
      const clock::duration limit = m.forth ? 1ms : 0ms;
      const auto r = co_await (wait | within{limit});
      saw("wait: " + told(r));
      co_return;
    }
    }
  }

  std::vector<stream> streams_;  // by link
};

task<> part::give(const move& m, stream& s) {
  switch (m.what) {
  case act::message:
  case act::early: co_await send(s, m, m.bytes); co_return;
  case act::silence:
  case act::cancel: co_await first().wait(); co_return;
  case act::too_little:
    co_await send(s, m, m.bytes);
    first().set();
    co_await second().wait();
    co_return;
  case act::exchange: co_await exchange(s, m, m.bytes, m.more); co_return;
  case act::frames:
    co_await give_frames(s, m);
    co_await first().wait();
    co_return;
  case act::beyond:
  case act::end:
    if (m.what == act::beyond) co_await send(s, m, m.bytes);
    saw("shutdown: " + told(s.shutdown_write()));
    {
      const auto sent = co_await s.send_all("x");
      saw("send: " + told(sent));
    }
    co_return;
  case act::close:
    s.close();
    co_await use_closed(s);
    co_return;
  case act::unread:
    co_await send_some_to_be_lost(s, m.bytes % 3000 + 2);
    first().set();
    co_await receive_end(s, m);
    s.close();
    co_return;
  case act::cut: co_await be_cut(s); co_return;
  default: co_await send_nothing(s); co_return;
  }
}

task<> part::take(const move& m, stream& s) {
  switch (m.what) {
  case act::message: co_await receive(s, m, m.due + m.bytes); co_return;
  case act::silence:
    co_await receive_in_vain(s, m);
    first().set();
    co_return;
  case act::cancel:
    co_await cancel_receive(s);
    first().set();
    co_return;
  case act::too_little:
    co_await first().wait();
    co_await receive_too_much(s, m);
    second().set();
    co_return;
  case act::exchange: co_await exchange(s, m, m.more, m.bytes); co_return;
  case act::frames:
    co_await take_frames(s, m);
    first().set();
    co_return;
  case act::beyond: co_await receive_beyond(s, m); co_return;
  case act::end:
    co_await receive_to_end(s, m);
    co_await receive_end(s, m);
    co_return;
  case act::close:
    co_await receive_end(s, m);
    if (m.bytes % 2 == 0) co_await send_in_vain(s);
    s.close();
    co_return;
  case act::unread:
    co_await first().wait();
    co_await close_unread(s, m.due + 1);
    co_return;
  case act::cut: co_await close_unread(s, m.due + 50'000); co_return;
  case act::empty: co_await receive_nothing(s); co_return;
  default: co_return;  // early
  }
}

performance::performance(const script& s, std::string unix_prefix, std::string tcp_address,
                         clock::duration settles)
    : script_(s), unix_prefix_(std::move(unix_prefix)), tcp_address_(std::move(tcp_address)),
      settles_(settles), seen_(static_cast<std::size_t>(s.parties)), first_(s.moves.size()),
      second_(s.moves.size()), playing_(s.parties), listening_(s.moves.size()) {}

task<> performance::play(int me) {
  part mine(*this, me);
  co_await mine.play();
  // Connections stay open until all have received what is theirs.
  if (--playing_ == 0) over_.set();
  co_await over_.wait();
}

}  // namespace iolite_test::differential
