// For the programs that run an engine of their own, from what their command line says. When it
// cannot be had, one line says why and the program ends with 1.
#pragma once
#include <iolite/endpoint.hpp>
#include <iolite/models.hpp>
#include <iolite/task.hpp>
#include <memory>
#include <string>

namespace tutorial {

[[nodiscard]] std::unique_ptr<iolite::engine> engine_of(const std::string& model);
// One that runs all its tasks on one thread: not `blocking`.
[[nodiscard]] std::unique_ptr<iolite::engine> event_loop_of(const std::string& model);
[[nodiscard]] iolite::endpoint endpoint_of(const std::string& address);
// What the task throws ends the program in the same way.
void run_on(iolite::engine& engine, iolite::task<> task);

}  // namespace tutorial
