// See lines.hpp.
#include "iolite/lines.hpp"

namespace iolite {

template class basic_lines<stream>;

}  // namespace iolite
