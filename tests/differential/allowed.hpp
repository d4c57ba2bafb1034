// The differences between models that the runner allows for, as docs/semantics.md lists them with
// their reasons. What is not here is compared.
#pragma once
#include <array>
#include <string_view>

namespace iolite_test::differential {

inline constexpr std::array<std::string_view, 5> allowed_differences = {
    "pieces",  // transfers.hpp: receive(), send(), receive_to_end()
    "gone",  // told_gone()
    "moved",  // receive_too_much()
    "taken",  // be_cut()
    "children",  // stages.cpp
};
static_assert(allowed_differences.size() <= 10);

}  // namespace iolite_test::differential
