#include "scenarios/scenario.hpp"

namespace iolite::app {

using namespace std::chrono_literals;

namespace {

constexpr std::array all = {
    scenario{"echo", "three clients, every byte comes back", &make_echo, true},
    scenario{"relay", "a client, a proxy and a server; ends pass through too", &make_relay, false},
    scenario{"fanout", "one sends, many receive, one of them slowly", &make_fanout, false},
    scenario{"pool_drain", "clients with pools of connections, a server that drains meanwhile",
             &make_pool_drain, true},
    scenario{"half_close", "the answer comes after the end of the question", &make_half_close,
             false},
    scenario{"chat", "all members see the same messages in the same order", &make_chat, false},
    scenario{"log", "a leader and followers, partitions: what a majority has is never lost",
             &make_log, true},
    scenario{"careless", "a client with a bug, to see what a failing seed looks like",
             &make_careless, false},
};

}  // namespace

std::span<const scenario> scenarios() noexcept { return all; }

endpoint parse(const std::string& address) {
  const auto e = endpoint::parse(address);
  simulate::check(e.has_value(), "an address");
  return *e;
}

std::string sample_text(std::size_t bytes, unsigned seed) {
  std::string out(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i)
    out[i] = static_cast<char>('a' + (i * 31 + i / 251 + std::size_t{seed} * 7) % 26);
  return out;
}

task<stream> connect_at_last(endpoint to) {
  for (;;) {
    auto s = co_await stream::connect(to);
    if (s) co_return std::move(*s);
    co_await iolite::sleep(50ms);
  }
}

task<std::string> receive_until_end(stream& from, std::error_code& why) {
  std::string out;
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto n = co_await from.recv(buffer);
    if (!n) why = n.error();
    if (!n || *n == 0) co_return out;
    out += text_of(std::span(buffer).first(*n));
  }
}

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace iolite::app
