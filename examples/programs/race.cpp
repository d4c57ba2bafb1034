// race HOST:PORT...
//
// Connects to the first address that answers, of all addresses that the names have, and says which
// one that was. Then it sends a line and prints what comes back:
//
//   race localhost:7000 192.0.2.1:7000
#include "race.hpp"

#include <cstdio>
#include <netdb.h>
#include <string>

namespace {

using namespace std::chrono_literals;

// All addresses of a name, as the system orders them: RFC 6724. Blocks.
std::vector<iolite::endpoint> look_up(const std::string& name) {
  const auto colon = name.rfind(':');
  if (colon == std::string::npos) return {};
  const bool bracketed = name.front() == '[' && colon > 2;
  const std::string host = bracketed ? name.substr(1, colon - 2) : name.substr(0, colon);
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), &name[colon + 1], &wanted, &found) != 0) return {};
  std::vector<iolite::endpoint> all;
  for (const addrinfo* a = found; a; a = a->ai_next)
    all.push_back(iolite::endpoint::from_native(a->ai_addr, a->ai_addrlen));
  ::freeaddrinfo(found);
  return all;
}

iolite::task<iolite::result<void>> talk(std::vector<std::string> names) {
  std::vector<iolite::endpoint> addresses;
  for (const std::string& name : names) {
    const auto some = co_await iolite::offload([&] { return look_up(name); });
    if (!some) co_return std::unexpected(some.error());
    if (some->empty())
      std::fprintf(stderr, "race: %s is no HOST:PORT that is known\n", name.c_str());
    addresses.insert(addresses.end(), some->begin(), some->end());
  }
  const auto begin = iolite::now();
  auto server = co_await (connection_race::run(addresses) | iolite::within(30s));
  if (!server) co_return std::unexpected(server.error());
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(iolite::now() - begin);
  std::printf("connected to %s after %d ms\n", server->peer().to_string().c_str(),
              int(took.count()));
  iolite::lines say(*server);
  const auto sent = co_await say.send("hello");
  if (!sent) co_return std::unexpected(sent.error());
  const auto answer = co_await (say.receive() | iolite::within(5s));
  if (!answer) co_return std::unexpected(answer.error());
  std::puts(iolite::one_line(*answer).c_str());
  co_return iolite::result<void>();
}

}  // namespace

int main(int argc, char** argv) { return iolite::run(talk({argv + 1, argv + argc})); }
