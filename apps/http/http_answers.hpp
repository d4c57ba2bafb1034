// Where the answers of an HTTP/1.1 server end: as much of RFC 9112 as a load generator needs.
//
// A body ends by Content-Length, by its last chunk, or with the connection. Bodies are counted, not
// kept; heads are bounded. What is no HTTP is an error.
#pragma once
#include "load/protocol.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace iolite::app {

class http_answers {
 public:
  static constexpr std::size_t head_bytes_max = std::size_t{64} * 1024;

  // So many answers are due from now on.
  void expect(std::size_t answers) noexcept { due_ = answers; }
  // A status of 400 or more is an answer that is refused.
  [[nodiscard]] std::expected<progress, std::string> take(std::span<const std::byte> arrived);
  // The end of the stream: whether it ends an answer that has no other end.
  [[nodiscard]] bool end() noexcept;
  // The server closes the connection after the answers so far.
  [[nodiscard]] bool closing() const noexcept { return closing_ && !inside_; }

 private:
  enum class part : std::uint8_t { head, body, chunk_size, chunk, chunk_end, trailer, until_close };

  [[nodiscard]] std::string take_line(std::string_view line, progress& p);
  [[nodiscard]] std::string status_line(std::string_view line);
  [[nodiscard]] std::string field_line(std::string_view line);
  [[nodiscard]] std::string end_of_head(progress& p);
  [[nodiscard]] std::string chunk_line(std::string_view line);
  void complete(progress& p);

  std::size_t due_ = 0;
  part at_ = part::head;
  bool inside_ = false;  // an answer has begun
  bool chunked_ = false;
  bool has_length_ = false;
  bool closing_ = false;
  unsigned status_ = 0;  // 0: its line has not come
  std::uint64_t left_ = 0;  // of the body or of the chunk
  std::size_t head_bytes_ = 0;
  std::string line_;  // the beginning of one
  std::string reason_;
};

}  // namespace iolite::app
