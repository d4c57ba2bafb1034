// Sockets that listen already and are passed to serve(): `fd:3`, see serve_options::listen.
//
// They stay the caller's: a server accepts from duplicates of them, which share the queue. It does
// not shut that down, and empties it of nobody at the end: whoever holds the socket still, or its
// successor, accepts those who wait.
#pragma once
#include "iolite/endpoint.hpp"
#include "iolite/result.hpp"
#include "kernel/kernel.hpp"

#include <expected>
#include <optional>
#include <string_view>

namespace iolite {

struct passed_socket {
  int fd;
  endpoint at;
};

[[nodiscard]] bool names_passed_socket(std::string_view text) noexcept;
[[nodiscard]] std::expected<passed_socket, error> find_passed_socket(kernel& os,
                                                                     std::string_view text);
// Sets or clears O_NONBLOCK, for all who share the socket.
void make_nonblocking(kernel& os, int fd, bool on) noexcept;

}  // namespace iolite
