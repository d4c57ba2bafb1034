// See machine.hpp.
#include "kernel/simulated/world/machine.hpp"

#include "kernel/simulated/sockets/any_socket.hpp"

namespace iolite::simulated {

void machine::crash(host& h) {
  h.is_up = false;
  std::vector<std::shared_ptr<file>> all;  // one may hold the next
  for (any_socket* s = h.sockets; s; s = s->next_on_host()) all.push_back(s->shared_from_this());
  for (const auto& s : all) static_cast<any_socket&>(*s).vanish();
  h.storage.crash(random);
  trace.noted(time.elapsed(), "crash: " + h.name);
}

}  // namespace iolite::simulated
