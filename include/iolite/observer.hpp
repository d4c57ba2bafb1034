// What an engine tells about its operations: that one starts, and that one is over. For tracers and
// for tests.
//
//   engine.observe(&mine);   // while nothing is pending; null, the default, observes nothing
//
// The observer outlives the engine, or is taken back before. Each operation that starts is reported
// twice, `started` before `completed`, also when it ends inline, early or cancelled. Between the
// two its address identifies it; only the wait of an idle outbox is reported as started once more
// when it becomes a send. Both are called on the engine's thread, from inside start(), cancel() or
// the loop: they must not use the engine, wait or throw, and what they cost is part of what is
// observed.
//
// An engine that observes nothing pays a load and a branch for each report. On a blocking engine
// the tasks of a scope have engines of their own, which this one's observer does not see.
#pragma once

namespace iolite {

struct operation;

class observer {
 public:
  // What is wanted is set: kind, fd, size, deadline. Nothing has been asked of the system yet.
  virtual void started(const operation& op) noexcept = 0;
  // `op.outcome` and `op.moved` say how it ended. The coroutine that waits has not gone on yet.
  virtual void completed(const operation& op) noexcept = 0;

 protected:
  ~observer() = default;
};

}  // namespace iolite
