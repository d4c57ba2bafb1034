// Services against hostile peers: each of them is let go in time, and afterwards there is as much
// memory in use, and as many descriptors, as after the first of them.
#include "peers.hpp"

#include "support/sanitizers.hpp"

#include <malloc.h>

namespace iolite_test {
namespace {

using namespace iolite;
using duration = iolite::clock::duration;

std::vector<std::string> all_engines() {
  std::vector<std::string> out = engine_variants();
  for (const char* const name : {"select", "poll", "epoll", "signal", "nonblocking", "blocking",
                                 "io_uring", "io_uring_direct", "io_uring_multishot"}) {
    out.push_back(std::string(name) + "_simulated_1");
    out.push_back(std::string(name) + "_simulated_2");
  }
  return out;
}

task<> upper(stream peer) {
  for (;;) {
    const auto got = co_await peer.recv_lease();
    if (!got || got->empty()) co_return;
    std::string text(reinterpret_cast<const char*>(got->bytes().data()), got->bytes().size());
    for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    const auto sent = co_await peer.send_all(text);
    if (!sent) co_return;
  }
}

task<> messages(stream peer) {
  frames both(peer);
  for (;;) {
    const auto m = co_await both.receive();
    if (!m) co_return;
    const auto sent = co_await both.send(*m);
    if (!sent) co_return;
  }
}

// Each message to an outbox, as a chat does.
task<> deliver(outbox& mail, stream& to) { static_cast<void>(co_await mail.deliver_to(to)); }
task<> to_an_outbox(stream peer) {
  outbox mail(16);
  scope children;
  children.spawn(deliver(mail, peer));
  frames in(peer);
  for (;;) {
    const auto m = co_await in.receive();
    if (!m || !mail.try_send(message(*m))) break;
  }
  mail.close();
  children.cancel();
  co_await children.join();
}

struct service {
  const char* name;
  task<> (*handle)(stream);
};
constexpr service all_services[] = {
    {"echo", echo}, {"upper", upper}, {"messages", messages}, {"outbox", to_an_outbox}};

task<> guarded(const service& s, stream peer) {
  task<> handled = s.handle(std::move(peer));
  co_await handled;
}

// Accepts until it is cancelled, and waits for those it has accepted.
task<> serve(listener& at, const service& s, duration second) {
  scope handlers;
  for (;;) {
    auto next = co_await at.accept();
    if (!next && next.error() == std::errc::connection_reset) continue;
    if (!next) break;
    next->set_idle_timeout(5 * second);
    next->set_connection_timeout(90 * second);
    next->set_rate_min(100);
    handlers.spawn(guarded(s, std::move(*next)));
  }
  co_await handlers.join();
}

task<> attack(const hostile_peer& p, endpoint to, duration second) {
  auto s = co_await stream::connect(to);
  if (!s) co_return;
  task<> one = p.attack(*s, second);
  co_await one;
}

// All attacks side by side, on one service.
task<> round(const service& s, duration second) {
  const context c = co_await here{};
  auto at = listener::open(*c.on, *endpoint::parse("127.0.0.1:0"));
  EXPECT_TRUE(at);
  if (!at) co_return;
  scope server;
  scope peers;
  server.spawn(serve(*at, s, second));
  for (const hostile_peer& p : hostile_peers()) peers.spawn(attack(p, at->local(), second));
  co_await peers.join();
  server.cancel();
  co_await server.join();
}

std::size_t memory_in_use() { return mallinfo2().uordblks; }

TEST_P(engine, hostile_peers_leave_nothing_behind) {
  const duration second = is_simulated() ? duration(1s) : duration(2ms);
  for (const service& s : all_services) {
    run(round(s, second));
    run(round(s, second));
    const std::size_t before = memory_in_use();
    const int descriptors = open_descriptors();
    for (int i = 0; i < (is_simulated() ? 2 : 3); ++i) run(round(s, second));
    EXPECT_EQ(open_descriptors(), descriptors) << s.name;
    if (address_sanitizer || thread_sanitizer || is_simulated()) continue;
    EXPECT_LE(memory_in_use(), before + 256 * 1024) << s.name;
  }
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(hostile, engine, testing::ValuesIn(all_engines()),
                         [](const auto& p) { return p.param; });

}  // namespace iolite_test
