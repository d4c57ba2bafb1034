// See scripted_stream.hpp.
#include "support/scripted_stream.hpp"

#include <algorithm>

namespace iolite_test {

using namespace iolite;

namespace {

constexpr std::size_t lease_bytes = 65'536;

std::unexpected<std::error_code> because(std::errc why) {
  return std::unexpected(std::make_error_code(why));
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

// --- the script ---

scripted_stream& scripted_stream::receives(std::string_view piece) {
  if (!piece.empty()) pieces_.emplace_back(piece);
  return *this;
}

scripted_stream& scripted_stream::receives_in_pieces(std::string_view bytes, std::size_t size) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size())))
    receives(bytes.substr(0, size));
  return *this;
}

scripted_stream& scripted_stream::then_fails(std::error_code why) {
  fault_ = why;
  return *this;
}

scripted_stream& scripted_stream::then_is_silent() {
  silent_ = true;
  return *this;
}

scripted_stream& scripted_stream::takes(std::size_t bytes, std::error_code then) {
  room_ = bytes;
  send_fault_ = then;
  return *this;
}

scripted_stream& scripted_stream::pauses() {
  pauses_ = true;
  return *this;
}

// --- byte_stream ---

task<result<void>> scripted_stream::begin() {
  if (pauses_) {
    const auto paused = co_await sleep(iolite::clock::duration::zero());
    if (!paused) co_return paused;
  }
  if (!is_open()) co_return because(std::errc::bad_file_descriptor);
  co_return result<void>();
}

task<result<std::string>> scripted_stream::next_piece(std::size_t max,
                                                      iolite::clock::duration limit) {
  const auto begun = co_await begin();
  if (!begun) co_return std::unexpected(begun.error());
  if (!pieces_.empty()) {
    std::string& first = pieces_.front();
    std::string piece = first.substr(0, max);
    first.erase(0, max);
    if (first.empty()) pieces_.pop_front();
    co_return piece;
  }
  if (fault_) co_return std::unexpected(fault_);
  if (!silent_) co_return std::string();
  const auto closed = co_await (closed_.wait() | within{limit});
  if (!closed) co_return std::unexpected(closed.error());
  co_return because(std::errc::operation_canceled);
}

task<result<std::size_t>> scripted_stream::recv(std::span<std::byte> into) {
  const auto limit = idle_ > iolite::clock::duration::zero() ? idle_ : never - iolite::clock::now();
  const auto piece = co_await next_piece(into.size(), limit);
  if (!piece) co_return std::unexpected(piece.error());
  std::ranges::copy(std::as_bytes(std::span(*piece)), into.begin());
  co_return piece->size();
}

task<result<void>> scripted_stream::recv_all(std::span<std::byte> into) {
  while (!into.empty()) {
    const auto n = co_await recv(into);
    if (!n) co_return std::unexpected(n.error());
    if (*n == 0) co_return std::unexpected(make_error_code(errc::end_of_stream));
    into = into.subspan(*n);
  }
  co_return result<void>();
}

task<result<scripted_stream::lent>> scripted_stream::recv_lease() {
  std::string buffer(lease_bytes, '\0');
  const auto n = co_await recv(std::as_writable_bytes(std::span(buffer)));
  if (!n) co_return std::unexpected(n.error());
  buffer.resize(*n);
  co_return lent(std::move(buffer));
}

result<std::size_t> scripted_stream::take(std::span<const std::byte> from) {
  const std::size_t n = std::min(from.size(), room_);
  sent_ += text_of(from.first(n));
  room_ -= n;
  if (n < from.size()) return std::unexpected(send_fault_);
  return n;
}

task<result<std::size_t>> scripted_stream::send_all(std::span<const std::byte> from) {
  const piece only[] = {from};
  co_return co_await send_all(std::span<const piece>(only));
}

task<result<std::size_t>> scripted_stream::send_all(std::span<const piece> pieces) {
  const auto begun = co_await begin();
  if (!begun) co_return std::unexpected(begun.error());
  ++sends_;
  if (shut_) co_return because(std::errc::broken_pipe);
  std::size_t sent = 0;
  for (const piece each : pieces) {
    const auto taken = take(each);
    if (!taken) co_return taken;
    sent += *taken;
  }
  co_return sent;
}

task<result<void>> scripted_stream::shutdown_write() {
  const auto begun = co_await begin();
  if (begun) shut_ = true;
  co_return begun;
}

task<void> scripted_stream::finish(iolite::clock::duration limit) {
  const auto shut = co_await shutdown_write();
  while (shut) {
    const auto dropped = co_await next_piece(lease_bytes, limit);
    if (!dropped || dropped->empty()) break;
  }
  close();
}

}  // namespace iolite_test
