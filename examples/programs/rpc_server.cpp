// rpc_server [LISTEN]: for rpc_client. It knows two calls: `echo TEXT`, and `wait N`, which answers
// after so many milliseconds.
#include "rpc_server.hpp"

#include <cstdlib>

namespace {

iolite::task<iolite::result<std::string>> work(std::string text) {
  if (text.starts_with("echo ")) co_return text.substr(5);
  if (!text.starts_with("wait ")) co_return "what is " + iolite::one_line(text) + "?";
  const auto slept = co_await iolite::sleep(std::chrono::milliseconds(std::atoi(&text[5])));
  if (!slept) co_return std::unexpected(slept.error());
  co_return "waited";
}

}  // namespace

int main(int argc, char** argv) {
  return iolite::serve_main(rpc_server(work), {.listen = {argc > 1 ? argv[1] : "127.0.0.1:7000"}});
}
