// See frames.hpp.
#include "iolite/frames.hpp"

namespace iolite {

template class basic_frames<stream>;

}  // namespace iolite
