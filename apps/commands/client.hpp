// What the clients of this command share: an event loop, and why a connection was not made.
#pragma once
#include "iolite/core/engine.hpp"
#include "iolite/endpoint.hpp"
#include "iolite/models.hpp"
#include "iolite/result.hpp"

#include <memory>
#include <string>

namespace iolite::app {

// The best event loop there is, whatever IOLITE_MODEL says: that is about servers.
[[nodiscard]] std::expected<std::unique_ptr<engine>, error> client_engine();

// One line: what failed, and what to do.
[[nodiscard]] std::string connect_failure(const endpoint& to, std::error_code why);

}  // namespace iolite::app
