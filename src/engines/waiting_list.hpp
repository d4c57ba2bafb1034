// The operations that wait for one direction of a descriptor.
#pragma once
#include "base/assert.hpp"
#include "iolite/core/operation.hpp"

#include <cstdint>
#include <utility>

namespace iolite {

// At most one operation that moves something, and any number of ready(). The one that moves comes
// last: the others are told what there is before it is taken.
//
// Linked through the operations, singly: `Next` is operation::next where they wait to read and
// operation::prev where they wait to write, so that a ready() may wait for both.
template <operation* operation::* Next>
class waiting_list {
 public:
  [[nodiscard]] explicit operator bool() const noexcept { return first_ != nullptr; }
  // A ready() if there is one.
  [[nodiscard]] operation* first() const noexcept { return first_; }

  // False: one that moves something waits already.
  [[nodiscard]] bool add(operation& op) noexcept {
    operation** at = &first_;
    while (*at && (*at)->kind == op_kind::ready) at = &((*at)->*Next);
    if (*at && op.kind != op_kind::ready) return false;
    op.*Next = std::exchange(*at, &op);
    return true;
  }
  void remove(const operation& op) noexcept {
    operation** at = &first_;
    while (*at && *at != &op) at = &((*at)->*Next);
    if (*at) *at = op.*Next;
  }
  // `visit` may remove the operation it is given.
  template <class Visit>
  void each(Visit visit) const noexcept {
    for (operation* op = first_; op;) {
      operation* const next = op->*Next;
      visit(*op);
      op = next;
    }
  }

 private:
  operation* first_ = nullptr;
};

using waiting_readers = waiting_list<&operation::next>;
using waiting_writers = waiting_list<&operation::prev>;

// Both directions.
class waiting_both {
 public:
  waiting_readers readers;
  waiting_writers writers;

  void add(operation& op, interest wants) noexcept {
    const bool alone = (!has(wants, interest::read) || readers.add(op)) &&
                       (!has(wants, interest::write) || writers.add(op));
    IOLITE_ASSERT(alone, "one receive and one send may be pending on a descriptor");
  }
  void remove(const operation& op) noexcept {
    readers.remove(op);
    writers.remove(op);
  }
  // Visits each that waits for one of `what`, once. How many times `visit` was true.
  template <class Visit>
  std::uint64_t each(interest what, Visit visit) const noexcept {
    std::uint64_t count = 0;
    const bool reads = has(what, interest::read);
    if (reads) readers.each([&](operation& op) { count += visit(op); });
    if (!has(what, interest::write)) return count;
    writers.each([&](operation& op) {
      const bool visited = reads && op.kind == op_kind::ready && has(op.wanted, interest::read);
      if (!visited) count += visit(op);
    });
    return count;
  }
  [[nodiscard]] interest wanted() const noexcept {
    return (readers ? interest::read : interest::none) |
           (writers ? interest::write : interest::none);
  }
  // The descriptor is about to be closed: cancels each ready(), and there is nothing else.
  template <class Cancel>
  void end_all(Cancel cancel) noexcept {
    while (operation* const op = any_ready()) cancel(*op);
    IOLITE_ASSERT(wanted() == interest::none,
                  "operations are cancelled before their descriptor is closed");
  }

 private:
  [[nodiscard]] operation* any_ready() const noexcept {
    for (operation* op : {readers.first(), writers.first()}) {
      if (op && op->kind == op_kind::ready) return op;
    }
    return nullptr;
  }
};

}  // namespace iolite
