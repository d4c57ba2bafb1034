// The only place that names every backend.
#include "registry.hpp"

#include <array>

namespace iolite {

made_poller make_epoll(kernel&, const poller_options&);
made_poller make_poll(kernel&, const poller_options&);
made_poller make_select(kernel&, const poller_options&);
made_poller make_signal(kernel&, const poller_options&);
made_poller make_nonblocking(kernel&, const poller_options&);
#if defined(IOLITE_HAS_KQUEUE)
made_poller make_kqueue(kernel&, const poller_options&);
#else
constexpr make_poller make_kqueue = nullptr;
#endif

std::span<const poller_entry> all_pollers() noexcept {
  static constexpr std::array table = {
      poller_entry{"kqueue", make_kqueue}, poller_entry{"epoll", make_epoll},
      poller_entry{"poll", make_poll},     poller_entry{"select", make_select},
      poller_entry{"signal", make_signal}, poller_entry{"nonblocking", make_nonblocking},
  };
  return table;
}

}  // namespace iolite
