// See pieces.hpp.
#include "pieces.hpp"

#include "memory.hpp"

#include <array>
#include <new>

namespace iolite_test {

using namespace iolite;

task<bool> say(stream& to, std::string_view text) {
  const auto r = co_await (to.send_all(text) | within{patience});
  co_return r.has_value();
}

task<bool> hear(stream& from, std::size_t bytes) {
  std::array<std::byte, 256> into;
  const auto r = co_await (from.recv_all(std::span(into).first(bytes)) | within{patience});
  co_return r.has_value();
}

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

task<> listen_to(stream from, outcome& out) {
  std::array<std::byte, 64> into;
  const auto n = co_await (from.recv(into) | within{patience});
  out.set(n ? std::error_code() : n.error());
}

task<> accept_one(listener& from, task<> (*handler)(stream)) {
  auto peer = co_await (from.accept() | within{patience});
  if (peer) co_await handler(std::move(*peer));
}

own_path::own_path() {
  const memory::spared mine;
  path_ = folder_.emplace() / "s";
}
own_path::~own_path() {
  const memory::spared mine;
  folder_.reset();
}
endpoint own_path::unix_address() const {
  const memory::spared mine;
  return *endpoint::parse("unix:" + path_);
}

bool start(iolite::scope& s, task<> child) {
  try {
    s.spawn(std::move(child));
    return true;
  } catch (const std::system_error&) {
    return false;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

task<> ask(endpoint to) {
  auto peer = co_await stream::connect(to, patience);
  if (!peer) co_return;
  const bool said = co_await say(*peer, "question");
  if (said) co_await hear(*peer, 8);
}

task<> serve_some(engine& on, endpoint at, task<> (*handler)(stream), int clients) {
  auto l = listener::open(on, at);
  if (!l) co_return;
  const endpoint where = l->local();
  co_await in_scope([&](iolite::scope& s) -> task<> {
    for (int i = 0; i < clients; ++i) start(s, ask(where));
    for (int i = 0; i < clients; ++i) co_await accept_one(*l, handler);
  });
}

endpoint any_port() { return *endpoint::parse("127.0.0.1:0"); }

}  // namespace iolite_test
