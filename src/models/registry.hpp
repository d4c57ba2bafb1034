// The table of backends, as models.cpp fills it: for selector.cpp and for make_engine().
#pragma once
#include "pollers/poller.hpp"

#include <span>
#include <string_view>

namespace iolite {

struct poller_entry {
  std::string_view name;
  make_poller make;  // null: this system does not have the facility
};

// Best first, as `best` tries them: kqueue, epoll, poll, select; then signal, nonblocking.
[[nodiscard]] std::span<const poller_entry> all_pollers() noexcept;

}  // namespace iolite
