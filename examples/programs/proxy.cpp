// proxy LISTEN SERVER [IDLE [SESSION]]
//
// Carries each connection to LISTEN on to SERVER, and prints a line when it has ended. A session
// ends after IDLE seconds without a byte (300), and after SESSION seconds in all (no limit):
//
//   proxy :8080 127.0.0.1:80 60
#include "proxy.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

iolite::clock::duration seconds(const char* text) {
  const std::chrono::duration<double> length(std::strtod(text, nullptr));
  return std::chrono::duration_cast<iolite::clock::duration>(length);
}

void print(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

int fail(const std::string& why) {
  std::fprintf(stderr, "proxy: %s\n", why.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return fail("what to listen on, and the server: proxy :8080 127.0.0.1:80");
  const auto upstream = iolite::endpoint::parse(argv[2]);
  if (!upstream) return fail(upstream.error().message);
  proxy carry{.upstream = *upstream, .log = print};
  if (argc > 3) carry.limits.idle = seconds(argv[3]);
  if (argc > 4) carry.limits.session = seconds(argv[4]);
  return iolite::serve_main(carry, {.listen = {argv[1]}});
}
