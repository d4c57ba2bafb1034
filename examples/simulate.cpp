// A server tested in a simulated world: 200 seeds, each with another order of events, a slow
// network and everything going wrong that may. A seed that fails fails again.
#include <iolite/iolite.hpp>
#include <iolite/simulate.hpp>

#include <cstdio>

iolite::task<> echo(iolite::stream peer) {  // the server under test
  while (const auto got = co_await peer.recv_lease()) {
    if (got->empty() || !co_await peer.send_all(got->bytes())) co_return;
  }
}

iolite::task<> client(iolite::endpoint server) {
  auto s = co_await iolite::stream::connect(server);
  iolite::simulate::check(s.has_value(), "connected");
  const std::string sent(10'000, 'x');
  iolite::simulate::check((co_await s->send_all(sent)).has_value(), "sent");
  std::string got(sent.size(), '\0');
  const auto all = co_await s->recv_all(std::as_writable_bytes(std::span(got)));
  iolite::simulate::check(all && got == sent, "every byte comes back");
}

int main() {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    iolite::simulate::world w(seed, {.faults = iolite::simulate::faults::some()});
    const auto a = w.add_host("server"), b = w.add_host("client");
    w.serve(a, echo, {.model = "epoll", .listen = {a.at(7000)}});
    w.run(b, "poll", [&] { return client(*iolite::endpoint::parse(a.at(7000))); });
    const auto report = w.finish();
    if (!report.ok()) return std::puts(report.to_string().c_str()), 1;
  }
  std::puts("200 seeds: every byte came back");
}
