// See iolite/core/rule_broken.hpp.
#include "iolite/core/rule_broken.hpp"

#include <cstdio>
#include <cstdlib>

namespace iolite {

void detail::rule_broken(const char* rule) noexcept {
  std::fputs("iolite: rule broken: ", stderr);  // tidy: allow output, the last words
  std::fputs(rule, stderr);  // tidy: allow output, the last words
  std::fputs("\n", stderr);  // tidy: allow output, the last words
  std::abort();
}

}  // namespace iolite
