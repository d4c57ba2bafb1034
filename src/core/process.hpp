// Which side of a fork(2) this is.
#pragma once

namespace iolite {
namespace detail {
extern unsigned forks;  // written only in a child that has one thread yet
}

// How many forks lie between the first process and this one: what was made before one (an engine, a
// thread pool) is known by a smaller number after it. A getpid(2) a time would cost more than the
// check is worth.
[[nodiscard]] inline unsigned fork_count() noexcept { return detail::forks; }

}  // namespace iolite
