// See process.hpp.
#include "core/process.hpp"

#include <pthread.h>

namespace iolite {
namespace {

unsigned forks = 0;  // written only in a child that has one thread yet
[[maybe_unused]] const int watching = ::pthread_atfork(nullptr, nullptr, [] { ++forks; });

}  // namespace

unsigned fork_count() noexcept { return forks; }

}  // namespace iolite
