// Options of a world in the terms of its machine.
#pragma once
#include "iolite/simulate/options.hpp"
#include "kernel/simulated/world/machine.hpp"

namespace iolite::simulate {

[[nodiscard]] simulated::fault_rates rates_of(const faults& f);
[[nodiscard]] simulated::link link_of(const link& l) noexcept;
// Before anything is in it.
void apply(const options& o, simulated::machine& to);

}  // namespace iolite::simulate
