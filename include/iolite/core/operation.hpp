// One I/O operation, described as data: what is wanted, who waits for it, how it ended.
//
// It is owned by the caller, borrowed by an engine from start() until it is done. Nothing is
// allocated for it: it is part of the frame that co_awaits it, or of the record of its task.
//
// The rules, on every engine:
// - A started operation completes exactly once, cancelled or not.
// - A cancel is a request. Until the completion the buffer is the kernel's, also after a cancel.
// - Bytes that had arrived in a cancelled or timed-out receive are delivered, never dropped.
// - Destroying a frame whose operation is pending stops the program.
#pragma once
#include "iolite/clock.hpp"
#include "iolite/core/operation_kind.hpp"

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

struct sockaddr;

namespace iolite {

class engine;
struct operation;

namespace detail {
class transfer_bounds;
}

enum class op_state : std::uint8_t { idle, pending, done };
// What a pending operation that is not with its facility waits for: a buffer of the pool; its next
// start, in the next turn; or the engine's own time to hand it over.
enum class op_queue : std::uint8_t { none, starved, continuing, deferred };

// Where an `event` operation waits: an event, a channel, the offload pool. Any thread.
struct event_source {
  // Takes `op` off its list. False: it is already being completed, through engine::post().
  virtual bool forget(operation& op) noexcept = 0;

 protected:
  ~event_source() = default;
};

// Where a send_file takes its bytes.
struct file_source {
  int fd;
  bool pipe;  // has no offset
  std::uint64_t at = 0;  // where in the file
};

// Bytes that are sent with others around them.
using piece = std::span<const std::byte>;

// Where a gathering send takes its bytes: pieces, one after the other.
struct piece_source {
  // Writes what follows the first `moved` bytes of all pieces, as far as `into` has room for them.
  // Gives how many were written: none of them is empty. Engine thread, while the operation lasts.
  virtual std::size_t pieces_after(std::size_t moved, std::span<piece> into) noexcept = 0;

 protected:
  ~piece_source() = default;
};

// What an operation works on. Borrowed. Which member it is, its kind says.
union op_payload {
  std::byte* bytes;  // recv, send, read, write
  piece_source* pieces;  // a send that gathers
  const sockaddr* address;  // connect
  const file_source* file;  // send_file
  event_source* source;  // event

  op_payload(std::byte* b = nullptr) noexcept : bytes(b) {}
  op_payload(piece_source* p) noexcept : pieces(p) {}
  op_payload(const sockaddr* a) noexcept : address(a) {}
  op_payload(const file_source* f) noexcept : file(f) {}
  op_payload(event_source* s) noexcept : source(s) {}
};

struct operation {
  // --- what is wanted: set by the caller before start() ---
  op_kind kind = op_kind::event;
  op_state state = op_state::idle;
  interest wanted : 6 = interest::none;  // ready
  bool all : 1 = false;  // complete only once `size` bytes have moved
  bool picks_buffer : 1 = false;  // recv: the engine lends a buffer of its pool, late
  bool short_is_empty : 1 = false;  // recv: fewer bytes than asked for means no more for now (TCP)
  bool gathers : 1 = false;  // send: from pieces, `size` is what all of them have
  bool gives_blocking : 1 = false;  // accept: the new socket blocks, whatever this engine needs
  bool cancel_requested : 1 = false;
  bool timed_out : 1 = false;
  bool idles : 1 = false;  // the deadline moves on with each byte: see transfer_bounds.hpp
  op_queue queue : 2 = op_queue::none;
  int fd = -1;
  int outcome = 0;  // once done: >= 0, or -errno
  std::uint16_t tag = 0;  // tells this start from earlier ones at the same address
  std::uint16_t place = 0;  // deadlines: where in the wheel; 0 is nowhere
  op_payload payload;
  union {
    std::size_t size = 0;  // bytes; connect: of the address
    std::size_t source_state;  // event: its source's
  };
  std::size_t moved = 0;  // bytes transferred so far
  union {
    std::uint64_t offset = 0;  // read, write: where in the file its bytes begin
    detail::transfer_bounds* through;  // of a stream: null once that is closed
    engine* on;  // event: since start()
  };
  clock::time_point deadline = never;
  std::coroutine_handle<> waiter;

  // --- hooks: the engine's and the scope's ---
  operation* next = nullptr;
  operation* prev = nullptr;
  operation* timer_next = nullptr;
  operation* timer_prev = nullptr;

  operation() = default;
  operation(const operation&) = delete;  // its address is its identity
  operation& operator=(const operation&) = delete;
  ~operation() {
    if (state == op_state::pending) destroyed_while_pending();
  }

  [[noreturn]] void destroyed_while_pending() const noexcept;
};
static_assert(sizeof(operation) <= 96);

// `recv fd=7 64/1024 deadline=+3ms`: what traces, dead-lock reports and failing tests show.
// `now` is what the deadline is relative to.
[[nodiscard]] std::string to_string(const operation& op, clock::time_point now);

// A doubly linked list through the operations themselves: no allocation. Hooks by template.
template <operation* operation::* Next, operation* operation::* Prev>
class operation_list {
 public:
  [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
  [[nodiscard]] operation* front() const noexcept { return head_; }
  void push(operation& op) noexcept {
    op.*Next = nullptr;
    op.*Prev = tail_;
    (tail_ ? tail_->*Next : head_) = &op;
    tail_ = &op;
  }
  void remove(operation& op) noexcept {
    (op.*Prev ? op.*Prev->*Next : head_) = op.*Next;
    (op.*Next ? op.*Next->*Prev : tail_) = op.*Prev;
    op.*Next = op.*Prev = nullptr;
  }
  operation* pop() noexcept {
    operation* op = head_;
    if (op) remove(*op);
    return op;
  }

 private:
  operation* head_ = nullptr;
  operation* tail_ = nullptr;
};
using operation_queue = operation_list<&operation::next, &operation::prev>;

}  // namespace iolite
