// Engines on a kernel of the caller's choice: for models.cpp's users inside the library, and for
// tests.
#pragma once
#include "iolite/models.hpp"
#include "kernel/kernel.hpp"

namespace iolite {

// By engine name, without `auto` and without asking whether it is available: a failure says why.
[[nodiscard]] std::expected<std::unique_ptr<engine>, error>
make_engine_on(kernel& os, std::string_view name, const engine_options& options = {});
// For a thread whose only task is ended by shutting its socket down: a receive is one plain call.
[[nodiscard]] std::expected<std::unique_ptr<engine>, error>
make_plain_blocking(kernel& os, std::size_t lease_memory);

}  // namespace iolite
