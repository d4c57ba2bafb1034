// See thread_state.hpp.
#include "kernel/thread_state.hpp"

namespace iolite::detail {

thread_local constinit thread_state own_thread_state{};
thread_local constinit thread_state* lent_thread_state = nullptr;

}  // namespace iolite::detail
