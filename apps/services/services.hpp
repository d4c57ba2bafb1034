// The services that `iolite serve` offers: plain handlers, the same on every model.
#pragma once
#include "iolite/stream.hpp"
#include "iolite/task.hpp"

#include <span>
#include <string_view>

namespace iolite::app {

task<void> echo(stream peer);     // what comes goes back: RFC 862
task<void> upper(stream peer);    // the same in ASCII capitals
task<void> discard(stream peer);  // what comes is dropped: RFC 863
task<void> chargen(stream peer);  // lines of characters until the peer has enough: RFC 864

struct service {
  std::string_view name;
  std::string_view what;
  task<void> (*handler)(stream);
};

[[nodiscard]] std::span<const service> services() noexcept;

}  // namespace iolite::app
