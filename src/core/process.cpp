// See process.hpp.
#include "core/process.hpp"

#include <pthread.h>

namespace iolite {

unsigned detail::forks = 0;

namespace {

[[maybe_unused]] const int watching = ::pthread_atfork(nullptr, nullptr, [] { ++detail::forks; });

}  // namespace

}  // namespace iolite
