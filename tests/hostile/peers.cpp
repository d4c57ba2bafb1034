// See peers.hpp. Each attack ends by itself: when the service lets it go, or after a while.
#include "peers.hpp"

#include "kernel/kernel.hpp"

#include <array>
#include <sys/socket.h>

namespace iolite_test {
namespace {

using namespace iolite;
using duration = iolite::clock::duration;

constexpr std::string_view half_header("\0\0", 2);
constexpr std::string_view long_message("\0\0\x10\0", 4);  // of 4 KiB
constexpr std::string_view largest_length("\xff\xff\xff\xff", 4);

// Until the service ends the connection, or it has waited long enough.
task<> wait_for_the_end(stream& s, duration limit) {
  std::array<std::byte, 1024> buffer;
  const auto until = deadline_after(now(), limit);
  while (now() < until) {
    auto next = s.recv(buffer);
    next.deadline = until;
    const auto r = co_await next;
    if (!r || *r == 0) co_return;
  }
}

task<> never_reads(stream& s, duration second) {
  const std::string much = pattern(1 << 20);
  for (int i = 0; i < 16; ++i) {
    const auto sent = co_await (s.send_all(much) | within{3 * second});
    if (!sent) break;
  }
  auto silence = iolite::sleep(3 * second);
  static_cast<void>(co_await silence);
}

task<> says_nothing(stream& s, duration second) {
  task<> end = wait_for_the_end(s, 60 * second);
  co_await end;
}

task<> sends_a_byte_a_second(stream& s, duration second) {
  std::string text(long_message);
  text.resize(40, 'x');
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto sent = co_await s.send_all(std::string_view(text).substr(i, 1));
    auto pause = iolite::sleep(second);
    const auto slept = co_await pause;
    if (!sent || !slept) co_return;
  }
}

task<> reads_a_byte_a_second(stream& s, duration second) {
  const std::string much = pattern(256 * 1024);
  const auto sent = co_await (s.send_all(much) | within{second});
  std::array<std::byte, 1> one;
  for (int i = 0; sent && i < 40; ++i) {
    const auto r = co_await (s.recv(one) | within{second});
    auto pause = iolite::sleep(second);
    const auto slept = co_await pause;
    if ((r && *r == 0) || !slept) co_return;
  }
}

task<> half_a_header(stream& s, duration second) {
  static_cast<void>(co_await s.send_all(half_header));
  task<> end = wait_for_the_end(s, 60 * second);
  co_await end;
}

task<> half_a_message_and_the_end(stream& s, duration second) {
  static_cast<void>(co_await s.send_all(long_message));
  static_cast<void>(co_await s.send_all("half"));
  static_cast<void>(s.shutdown_write());
  task<> end = wait_for_the_end(s, 60 * second);
  co_await end;
}

task<> the_largest_length(stream& s, duration second) {
  static_cast<void>(co_await s.send_all(largest_length));
  task<> end = wait_for_the_end(s, 60 * second);
  co_await end;
}

task<> empty_messages(stream& s, duration second) {
  const std::string zeros(64 * 1024, '\0');
  static_cast<void>(co_await (s.send_all(zeros) | within{second}));
  task<> end = wait_for_the_end(s, second);
  co_await end;
}

void reset(stream& s) {
  const linger at_once{1, 0};
  const system_descriptor socket(s);
  system_of_test().setsockopt(socket.number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  s.close();
}

// After `bytes` of a message.
task<> reset_after(stream& s, std::size_t bytes) {
  const std::string message = std::string(long_message) + std::string(4096, 'm');
  static_cast<void>(co_await s.send_all(std::string_view(message).substr(0, bytes)));
  reset(s);
}

task<> resets_at_each_point(stream& s, duration) {
  const endpoint to = s.peer();
  reset(s);
  for (const std::size_t bytes : {1U, 2U, 3U, 4U, 5U, 100U, 4099U, 4100U}) {
    auto next = co_await stream::connect(to);
    if (!next) continue;
    task<> one = reset_after(*next, bytes);
    co_await one;
  }
}

constexpr hostile_peer all_peers[] = {
    {"never reads", never_reads},
    {"says nothing", says_nothing},
    {"sends a byte a second", sends_a_byte_a_second},
    {"reads a byte a second", reads_a_byte_a_second},
    {"half a header", half_a_header},
    {"half a message and the end", half_a_message_and_the_end},
    {"the largest length", the_largest_length},
    {"empty messages", empty_messages},
    {"resets at each point", resets_at_each_point},
};

}  // namespace

std::span<const hostile_peer> hostile_peers() noexcept { return all_peers; }

}  // namespace iolite_test
