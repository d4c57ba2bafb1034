// A client's part of the servers that do I/O by hand: one call each, and what came of it in words.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

namespace tutorial {

// The next client in the listener's queue, a non-blocking descriptor; -1: there is none. Where no
// descriptor is free the client is closed, and a line says so.
[[nodiscard]] int accept_client(int listener);

// Closes one that the selector cannot watch, and says so.
void refuse_client(int client, int number, std::string_view facility, std::error_code why);

// Whether the socket has an error pending (SO_ERROR), which this takes.
[[nodiscard]] bool is_broken(int client);

enum class arrival { bytes, nothing, end, reset };

// One recv(2) of at most `most` bytes, which `message` then holds.
[[nodiscard]] arrival receive(int client, std::string& message, std::size_t most = 4096);

// One send(2): how many bytes the kernel took, 0 when it has no room; -1: the client is gone.
[[nodiscard]] long send_some(int client, std::string_view bytes);

// An echo server with a read list: the listener, and the client sockets, each a number that is said
// when it comes and goes. The selector is on `facility`. Returns when asked to stop.
void echo_with_read_list(std::string_view facility, const std::string& listen);

}  // namespace tutorial
