// For the calls that iolite has no operation for: the number by which the system knows a stream.
//
//   const iolite::system_descriptor socket(peer);
//   getsockopt(socket.number(), SOL_SOCKET, SO_PRIORITY, &priority, &size);
//
// That is native_handle() itself, unless the stream has a direct descriptor
// (engine_options::direct_descriptors): then one more is made, for as long as this lives.
#pragma once
#include "iolite/core/engine.hpp"

#include <concepts>

namespace iolite {

class system_descriptor {
 public:
  // Of a stream, or of anything else that an engine knows by a number. On the engine's thread, if
  // that keeps descriptors of its own.
  template <class Socket>
    requires requires(const Socket& s) {
      { s.on() } -> std::same_as<engine*>;
      { s.native_handle() } -> std::same_as<int>;
    }
  explicit system_descriptor(const Socket& s) noexcept
      : system_descriptor(*s.on(), s.native_handle()) {}
  system_descriptor(engine& on, int fd) noexcept;
  system_descriptor(const system_descriptor&) = delete;
  system_descriptor& operator=(const system_descriptor&) = delete;
  ~system_descriptor();

  // Or -errno: -EMFILE where there is none left for it.
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  engine& on_;
  int number_;
  bool made_;
};

}  // namespace iolite
