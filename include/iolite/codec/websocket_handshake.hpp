// The keys of WebSocket's opening handshake (RFC 6455, 4.2.2): what a client sends and a server
// answers. Their headers are HTTP's business.
#pragma once
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace iolite::ws {

// Sec-WebSocket-Key: 16 bytes in base64. A client draws them anew for each connection.
using handshake_key = std::array<char, 24>;
[[nodiscard]] handshake_key key_from(std::span<const std::byte, 16> nonce) noexcept;
// Whether a client may have sent it.
[[nodiscard]] bool is_handshake_key(std::string_view key) noexcept;

// Sec-WebSocket-Accept: the answer to a Sec-WebSocket-Key, whatever that is. It proves that the
// server speaks WebSocket, and nothing else: SHA-1 protects nothing here.
using handshake_accept = std::array<char, 28>;
[[nodiscard]] handshake_accept accept_for(std::string_view key) noexcept;

}  // namespace iolite::ws
