#include "commands/client.hpp"

#include <fmt/format.h>

namespace iolite::app {

std::expected<std::unique_ptr<engine>, error> client_engine() {
  for (const char* name : {"io_uring", "epoll", "kqueue", "poll"}) {
    if (!available(name).ok) continue;
    if (auto made = make_engine(name)) return made;
  }
  return make_engine("select");
}

std::string connect_failure(const endpoint& to, std::error_code why) {
  const std::string at = to.to_string();
  if (why == std::errc::connection_refused)
    return fmt::format("nothing listens at {}; start a server first: iolite serve echo --listen {}",
                       at, at);
  if (why == std::errc::no_such_file_or_directory)
    return fmt::format("there is no socket {}; start a server first: iolite serve echo --listen {}",
                       at, at);
  if (why == std::errc::timed_out)
    return fmt::format("{} does not answer; is the address right, is a firewall in between?", at);
  if (why == std::errc::too_many_files_open)
    return fmt::format("no descriptors left to connect to {}; raise the limit with ulimit -n", at);
  if (why == std::errc::address_not_available)
    return fmt::format("no local port left to connect to {}; wait a minute, or use fewer "
                       "connections (net.ipv4.ip_local_port_range)",
                       at);
  return fmt::format("cannot connect to {}: {}", at, why.message());
}

}  // namespace iolite::app
