// The engines whose waits are explored: they wait for descriptors of eventfds.hpp only.
#pragma once
#include "engines/made_engine.hpp"
#include "eventfds.hpp"
#include "explore.hpp"
#include "pollers/poller.hpp"

#include <gtest/gtest.h>
#include <iolite/event.hpp>
#include <iolite/nursery.hpp>
#include <memory>

namespace iolite {

made_engine make_blocking(kernel& os, bool interruptible);
made_engine make_readiness(kernel& os, std::unique_ptr<poller> p);
made_poller make_poll(kernel& os, const poller_options& options);
made_poller make_epoll(kernel& os, const poller_options& options);

}  // namespace iolite

namespace interleavings {

enum class loop : std::uint8_t { blocking, poll, epoll };

inline std::unique_ptr<iolite::engine> make_engine(iolite::kernel& os, loop which) {
  using namespace iolite;
  switch (which) {
  case loop::blocking: return make_blocking(os, true).it;
  case loop::poll: return make_readiness(os, make_poll(os, {}).it).it;
  case loop::epoll: return make_readiness(os, make_epoll(os, {}).it).it;
  }
  return nullptr;
}

inline std::string name_of(const testing::TestParamInfo<loop>& info) {
  constexpr const char* names[] = {"blocking", "poll", "epoll"};
  return names[static_cast<std::size_t>(info.param)];
}

// Each test runs on each loop.
class each_loop : public testing::TestWithParam<loop> {};
#define EXPLORED_ON_EACH_LOOP(suite)                                                               \
  INSTANTIATE_TEST_SUITE_P(, suite, testing::Values(loop::blocking, loop::poll, loop::epoll),      \
                           name_of)

}  // namespace interleavings
