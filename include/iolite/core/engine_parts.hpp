// What only some backends have. Each is a part that the backend owns and passes to engine's
// constructor; where there is none the engine does what is usual. All are used on the engine's
// thread, and none resumes a coroutine.
#pragma once
#include <cstddef>
#include <memory>

namespace iolite {

class engine;

// State kept for a descriptor from one operation to the next.
struct descriptor_state {
  // `fd`, whose operations are over or cancelled, is closed next or becomes somebody else's.
  virtual void forget(int fd) noexcept = 0;

 protected:
  ~descriptor_state() = default;
};

// What is taken from descriptors before an operation asks for it.
struct receive_backlog {
  // From now on nothing is taken ahead from `fd`. False: something has been.
  virtual bool stop(int fd) noexcept = 0;
  // The same; how many bytes have been.
  virtual std::size_t stop_and_count(int fd) noexcept = 0;
  // run() is about to return: from now on nothing is taken ahead, and nothing is left unsubmitted.
  virtual void stop_all() noexcept = 0;

 protected:
  ~receive_backlog() = default;
};

// Descriptors whose numbers mean something to this engine only: engine_traits::own_descriptors.
struct descriptor_table {
  // Moves the ordinary `fd` into the table: its number there. -errno: nothing has changed.
  virtual int adopt(int fd) noexcept = 0;
  // An ordinary descriptor for the same file: `fd` itself where it is one, or a new one that the
  // caller closes, or -errno.
  virtual int expose(int fd) noexcept = 0;
  // False: it is an ordinary one.
  virtual bool close(int fd) noexcept = 0;

 protected:
  ~descriptor_table() = default;
};

// Where a waiting operation holds its thread: engines for the threads of child tasks.
struct child_engines {
  virtual std::unique_ptr<engine> make() = 0;  // throws std::bad_alloc, std::system_error

 protected:
  ~child_engines() = default;
};

struct engine_parts {
  descriptor_state* descriptors = nullptr;
  receive_backlog* backlog = nullptr;
  descriptor_table* table = nullptr;
  child_engines* children = nullptr;
};

}  // namespace iolite
