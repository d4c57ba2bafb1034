// rpc_client SERVER [TASKS]: so many tasks (100) call `rpc_server` at a time. Beside them a call
// that would take a minute is cancelled, and the others do not notice.
#include "rpc_client.hpp"

#include <cstdio>
#include <cstdlib>

using namespace std::chrono_literals;

iolite::task<bool> call_ten_times(rpc_client& client, int task) {
  for (int call = 0; call < 10;) {
    const std::string text = std::to_string(task) + "." + std::to_string(call);
    const auto answer = co_await (client.call("echo " + text) | iolite::within(5s));
    if (answer) ++call;
    // A call that was lost with its connection is made again: this one may be done twice.
    else if (answer.error() != iolite::errc::closed) co_return false;
    if (answer && *answer != text) co_return false;
  }
  co_return true;
}

iolite::task<int> run(iolite::endpoint server, int tasks) {
  rpc_client client(server, std::random_device{}());
  std::vector<bool> good;
  co_await iolite::in_scope([&](iolite::scope& side) -> iolite::task<> {
    auto connection = side.spawn(client.keep_connected());
    auto slow = side.spawn(client.call("wait 60000"));
    std::vector<iolite::task<bool>> all;
    all.reserve(static_cast<std::size_t>(tasks));
    for (int i = 0; i < tasks; ++i) all.push_back(call_ten_times(client, i));
    good = co_await iolite::when_all(std::move(all));
    slow.cancel();
    const auto cut = co_await slow;
    std::printf("the slow call: %s\n", cut ? cut->c_str() : cut.error().message().c_str());
    connection.cancel();
  });
  const auto done = std::ranges::count(good, true);
  std::printf("%d of %d tasks have all their answers\n", int(done), tasks);
  co_return done == tasks ? 0 : 1;
}

int main(int argc, char** argv) {
  const auto server = iolite::endpoint::parse(argc > 1 ? argv[1] : "127.0.0.1:7000");
  if (!server) return std::fprintf(stderr, "rpc_client: %s\n", server.error().message.c_str()), 1;
  return iolite::run(run(*server, argc > 2 ? std::atoi(argv[2]) : 100));
}
