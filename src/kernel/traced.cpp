// See traced.hpp.
#include "kernel/traced.hpp"

namespace iolite {

long traced::invoke(call c, const call_args& a) noexcept {
  const clock::time_point begin = below_.now();
  const long r = below_.invoke(c, a);
  to_.called(c, a, begin, below_.now(), r);
  return r;
}

}  // namespace iolite
