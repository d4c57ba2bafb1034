// From one stack to another: the registers that a call preserves, and nothing else.
#pragma once
#include <cstddef>
#include <span>

namespace iolite::simulated {

// What to switch to, to run enter(argument) on `memory`; enter() never returns.
[[nodiscard]] void* prepare_stack(std::span<std::byte> memory, void (*enter)(void*),
                                  void* argument);
// For the thread that has a stack already.
[[nodiscard]] void* prepare_own_stack();
// What `saved` refers to goes: it is not switched to any more.
void forget_stack(void* saved) noexcept;
// Leaves in `from` what brings the caller back.
void switch_stack(void*& from, void* to) noexcept;

}  // namespace iolite::simulated
