// A pool of threads: so many clients at a time, and the next one waits.
//
// The threads are made once, so what the server costs is known before the first client comes, and
// stays the same however many come. The price is the limit: a worker serves its client to the end,
// also while that says nothing. Client N + 1 is connected (the kernel does that), but nobody reads
// what it sends until a worker is free.
//
// Try `--workers 2` with three `nc 127.0.0.1 7000`. Each is told which worker it has, and gets its
// lines back in upper case. The third hears nothing until one of the others leaves (^D).
#include "support/lines.hpp"
#include "support/options.hpp"

#include <atomic>
#include <iolite/iolite.hpp>

namespace {

std::atomic<int> workers_seen = 0;
thread_local int worker = 0;  // 1, 2...: in the order of their first clients

iolite::task<> answer(iolite::stream peer, int workers) {
  if (worker == 0) worker = ++workers_seen;
  std::string reply = "worker " + std::to_string(worker) + " of " + std::to_string(workers) + "\n";
  if (!co_await peer.send_all(reply)) co_return;
  tutorial::line_reader from(peer);
  while (const auto line = co_await from.next()) {
    reply = tutorial::upper(*line) + "\n";
    if (!co_await peer.send_all(reply)) co_return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000";
  int workers = 4;
  tutorial::parse(argc, argv, "a server with a fixed number of threads",
                  {{"--listen", &listen, "where"}, {"--workers", &workers, "clients at a time"}});
  if (workers < 1 || workers > 1024) tutorial::fail("--workers is a number from 1 to 1024");
  return iolite::serve_main(
      [workers](iolite::stream peer) { return answer(std::move(peer), workers); },
      {.model = "blocking/pool", .listen = {listen}, .workers = static_cast<unsigned>(workers)});
}
