// See streams.hpp.
#include "support/streams.hpp"

#include <array>

namespace iolite_test {

using namespace iolite;

stream adopt(engine& on, int fd, bool tcp) {
  set_nonblocking(fd, on.traits().needs_nonblocking);
  return stream(on, on.adopt(fd), tcp);
}
stream adopt(engine& on, raw_socket socket, bool tcp) { return adopt(on, socket.release(), tcp); }

half_pair unix_half(engine& on) {
  raw_pair p = raw_unix_pair();
  return {adopt(on, std::move(p.a)), std::move(p.b)};
}
half_pair tcp_half(engine& on) {
  raw_pair p = raw_tcp_pair();
  return {adopt(on, std::move(p.a), true), std::move(p.b)};
}
stream_pair unix_streams(engine& on) {
  raw_pair p = raw_unix_pair();
  return {adopt(on, std::move(p.a)), adopt(on, std::move(p.b))};
}
stream_pair tcp_streams(engine& on) {
  raw_pair p = raw_tcp_pair();
  return {adopt(on, std::move(p.a), true), adopt(on, std::move(p.b), true)};
}

std::span<std::byte> bytes_of(std::string& text) noexcept {
  return std::as_writable_bytes(std::span(text));
}

task<result<std::string>> receive(stream& from, std::size_t max) {
  std::string into(max, '\0');
  const auto n = co_await from.recv(bytes_of(into));
  if (!n) co_return std::unexpected(n.error());
  into.resize(*n);
  co_return into;
}

task<result<std::string>> receive_within(stream& from, iolite::clock::duration limit) {
  std::string into(4096, '\0');
  const auto n = co_await (from.recv(bytes_of(into)) | within{limit});
  if (!n) co_return std::unexpected(n.error());
  into.resize(*n);
  co_return into;
}

task<result<std::string>> receive_exactly(stream& from, std::size_t bytes) {
  std::string into(bytes, '\0');
  const auto r = co_await from.recv_all(bytes_of(into));
  if (!r) co_return std::unexpected(r.error());
  co_return into;
}

task<result<std::string>> receive_until_end(stream& from) {
  std::string all;
  std::string part(65536, '\0');
  for (;;) {
    const auto n = co_await from.recv(bytes_of(part));
    if (!n) co_return std::unexpected(n.error());
    if (*n == 0) co_return all;
    all.append(part, 0, *n);
  }
}

task<result<void>> send_text(stream& to, std::string_view text) {
  const auto r = co_await to.send_all(text);
  co_return r ? result<void>() : result<void>(std::unexpected(r.error()));
}

task<> echo(stream peer) {
  std::array<std::byte, 16384> buffer;
  for (;;) {
    const auto n = co_await peer.recv(buffer);
    if (!n || *n == 0) co_return;
    const auto sent = co_await peer.send_all(std::span<const std::byte>(buffer.data(), *n));
    if (!sent) co_return;
  }
}

task<> echo_leases(stream peer) {
  for (;;) {
    const auto got = co_await peer.recv_lease();
    if (!got || got->empty()) co_return;
    const auto sent = co_await peer.send_all(got->bytes());
    if (!sent) co_return;
  }
}

task<> let_others_run() {
  for (int i = 0; i < 3; ++i) co_await iolite::sleep(std::chrono::milliseconds(2));
}

task<> receiving(stream from, outcome& out) {
  const auto r = co_await receive(from);
  out.set(r);
}

task<> receiving_twice(stream from, outcome& first, outcome& second) {
  const auto one = co_await receive(from);
  first.set(one);
  const auto two = co_await receive(from);
  second.set(two);
}

task<> sending(stream to, std::string_view bytes, outcome& out) {
  const auto r = co_await to.send_all(bytes);
  out.set(r);
}

task<> sleeping(iolite::clock::duration length, outcome& out) {
  const auto r = co_await iolite::sleep(length);
  out.set(r);
}

task<> waiting(event& e, outcome& out) {
  const auto r = co_await e.wait();
  out.set(r);
}

task<> accepting(listener from, outcome& out) {
  const auto r = co_await from.accept();
  out.set(r);
}

task<> connecting(endpoint to, outcome& out) {
  const auto r = co_await stream::connect(to);
  out.set(r);
}

bool is_gone(std::error_code code) noexcept {
  return code == std::errc::broken_pipe || code == std::errc::connection_reset;
}

}  // namespace iolite_test
