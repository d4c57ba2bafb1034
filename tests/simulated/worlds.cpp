// See worlds.hpp.
#include "worlds.hpp"

#include "support/sockets.hpp"

#include <array>

namespace iolite_test {

using namespace iolite;

task<> give_back(stream peer) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto n = co_await peer.recv(buffer);
    if (!n || *n == 0) co_return;
    const auto sent = co_await peer.send_all(std::span<const std::byte>(buffer.data(), *n));
    if (!sent) co_return;
  }
}

std::uint64_t count(const simulate::report& r, std::string_view fault) {
  for (const auto& [name, n] : r.faults) {
    if (name == fault) return n;
  }
  return 0;
}

endpoint parse(const std::string& text) {
  auto e = endpoint::parse(text);
  simulate::check(e.has_value(), "an address");
  return *e;
}

namespace {

task<> send_in_pieces(stream& to, const std::string& all) {
  for (std::size_t at = 0, n = 1; at < all.size(); at += n, n = n * 3 % 5000 + 1) {
    const auto sent = co_await to.send_all(std::string_view(all).substr(at, n));
    if (!sent) co_return;  // the receiving side says why
  }
  to.shutdown_write();
}

// False: the connection was reset.
task<bool> talk_once(endpoint to, std::string all, bool may_be_reset) {
  auto peer = co_await stream::connect(to);
  if (!peer) {
    simulate::check(may_be_reset, "connect: " + peer.error().message());
    co_return false;
  }
  scope sender;
  sender.spawn(send_in_pieces(*peer, all));
  std::string got(all.size() + 1, '\0');
  std::size_t size = 0;
  std::error_code why;
  for (std::size_t n = 1; n > 0 && !why; size += n) {
    const auto r = co_await peer->recv(std::as_writable_bytes(std::span(got)).subspan(size));
    if (!r) why = r.error();
    n = r.value_or(0);
  }
  co_await sender.join();
  simulate::check(!why || may_be_reset, "recv: " + why.message());
  got.resize(size);
  simulate::check(all.starts_with(got), "other bytes have come back");
  // Whoever asks first takes a connection's error: was it the sender, this side saw a mere end.
  simulate::check(why || may_be_reset || size == all.size(), "not all bytes have come back");
  co_return !why && size == all.size();
}

}  // namespace

task<> talk(std::string to, std::size_t bytes, unsigned seed, bool may_be_reset) {
  const endpoint at = parse(to);
  for (bool done = false; !done;) {
    done = co_await talk_once(at, pattern(bytes, seed), may_be_reset);
    if (done) co_return;
    const auto slept = co_await iolite::sleep(100ms);
    if (!slept) co_return;  // the world has given up, and says so
  }
}

}  // namespace iolite_test
