// See engines.hpp.
#include "support/engines.hpp"

#include "support/options.hpp"

#include <exception>
#include <iolite/scope.hpp>

namespace tutorial {

std::unique_ptr<iolite::engine> engine_of(const std::string& model) {
  auto made = iolite::make_engine(model);
  if (!made) fail(made.error().message);
  return std::move(*made);
}

std::unique_ptr<iolite::engine> event_loop_of(const std::string& model) {
  auto made = engine_of(model);
  if (made->traits().blocking)
    fail(model + " is no event loop: a task that waits holds its thread");
  return made;
}

iolite::endpoint endpoint_of(const std::string& address) {
  const auto at = iolite::endpoint::parse(address);
  if (!at) fail(at.error().message);
  return *at;
}

void run_on(iolite::engine& engine, iolite::task<> task) {
  try {
    engine.run(std::move(task));
  } catch (const std::exception& error) {
    fail(error.what());
  }
}

}  // namespace tutorial
