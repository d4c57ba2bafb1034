#include "services/services.hpp"

#include <array>
#include <string>

namespace iolite::app {

namespace {

constexpr std::array<service, 4> all_services = {{
    {"echo", "what comes goes back", &echo},
    {"upper", "what comes goes back in ASCII capitals", &upper},
    {"discard", "what comes is dropped", &discard},
    {"chargen", "lines of characters, without end", &chargen},
}};

// Not std::toupper: the answer must not depend on the locale.
constexpr std::byte to_upper(std::byte b) noexcept {
  return b >= std::byte{'a'} && b <= std::byte{'z'} ? b ^ std::byte{0x20} : b;
}

// RFC 864: 72 of the 95 printing characters a line, each line begins one further on.
std::string character_lines() {
  std::string lines;
  for (int first = 0; first < 95; ++first) {
    for (int i = 0; i < 72; ++i) lines += static_cast<char>(' ' + (first + i) % 95);
    lines += "\r\n";
  }
  return lines;
}

}  // namespace

std::span<const service> services() noexcept { return all_services; }

// By leases, so that a connection that waits holds no buffer: it costs a tenth of one with its own.
task<void> echo(stream peer) {
  for (;;) {
    const auto got = co_await peer.recv_lease();
    if (!got || got->empty()) co_return;
    const auto sent = co_await peer.send_all(got->bytes());
    if (!sent) co_return;
  }
}

task<void> upper(stream peer) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto got = co_await peer.recv(buffer);
    if (!got || *got == 0) co_return;
    const auto text = std::span(buffer).first(*got);
    for (std::byte& b : text) b = to_upper(b);
    const auto sent = co_await peer.send_all(text);
    if (!sent) co_return;
  }
}

task<void> discard(stream peer) {
  for (;;) {
    const auto got = co_await peer.recv_lease();
    if (!got || got->empty()) co_return;
  }
}

task<void> chargen(stream peer) {
  static const std::string lines = character_lines();
  // Input is left unread: a second task for it would need a thread of its own on blocking engines.
  for (;;) {
    const auto sent = co_await peer.send_all(lines);
    if (!sent) co_return;
  }
}

}  // namespace iolite::app
