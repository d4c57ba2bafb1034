// The kinds of operations, each a row of one table. Core and engines ask the table; they name a
// kind only where they treat that one in its own way. docs/adding-an-operation.md adds a kind.
#pragma once
#include "iolite/interest.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace iolite {

enum class op_kind : std::uint8_t {
  accept,
  connect,
  recv,
  send,
  send_file,  // from a file or a pipe to a socket, by the kernel
  read,
  write,
  sync,  // a regular file
  ready,
  sleep,
  event,
};

// What an operation uses.
enum class op_target : std::uint8_t {
  socket,
  file,  // a regular file, which is always ready: for engines whose traits say `files`
  foreign,  // a descriptor that is not the library's: only its state is asked for
  itself,  // the engine, which completes it without its backend
};

// What the engine and its backends have to know of a kind of operation: its row in the table below.
struct op_traits {
  const char* name;
  op_target target;
  interest direction;  // what its descriptor must be ready for; none: op.wanted says it
  bool moves_bytes;  // a result above zero is a count of bytes
  bool tried_first;  // the call is made before the descriptor is known to be ready
  bool nonblocking;  // its descriptor is non-blocking on every engine, also on a blocking one
};

namespace detail {

// In the order of op_kind.
inline constexpr std::array op_table = [] {
  using enum op_target;
  constexpr auto read = interest::read, write = interest::write, none = interest::none;
  // clang-format off
  return std::array{
      //        name         target   direction moves  first  nonblocking
      op_traits{"accept",    socket,  read,     false, false, true},
      op_traits{"connect",   socket,  write,    false, true,  true},
      op_traits{"recv",      socket,  read,     true,  false, false},
      op_traits{"send",      socket,  write,    true,  true,  false},
      op_traits{"send_file", socket,  write,    true,  true,  false},
      op_traits{"read",      file,    read,     true,  true,  false},
      op_traits{"write",     file,    write,    true,  true,  false},
      op_traits{"sync",      file,    write,    false, true,  false},
      op_traits{"ready",     foreign, none,     false, false, false},
      op_traits{"sleep",     itself,  none,     false, false, false},
      op_traits{"event",     itself,  none,     false, false, false},
  };
  // clang-format on
}();
static_assert(op_table.size() == static_cast<std::size_t>(op_kind::event) + 1);

}  // namespace detail

[[nodiscard]] constexpr const op_traits& traits_of(op_kind kind) noexcept {
  return detail::op_table[static_cast<std::size_t>(kind)];
}
[[nodiscard]] constexpr const char* name_of(op_kind kind) noexcept { return traits_of(kind).name; }
[[nodiscard]] constexpr bool moves_bytes(op_kind kind) noexcept {
  return traits_of(kind).moves_bytes;
}
[[nodiscard]] constexpr bool receives(op_kind kind) noexcept {
  return traits_of(kind).direction == interest::read;
}
[[nodiscard]] constexpr bool sends(op_kind kind) noexcept {
  return traits_of(kind).target == op_target::socket && moves_bytes(kind) && !receives(kind);
}

}  // namespace iolite
