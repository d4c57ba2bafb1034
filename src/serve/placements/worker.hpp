// What a worker of `prefork` gets from its supervisor, and what both of them know of it.
#pragma once
#include "iolite/listener.hpp"
#include "iolite/scope.hpp"

#include <atomic>
#include <cstddef>
#include <vector>

namespace iolite {

// In memory that all processes of the server share.
struct worker_seat {
  std::atomic<bool> missing = false;  // nobody runs it for now: others accept for it
  std::atomic<unsigned> live = 0;  // its connections, but for those that its drain has cut
};

struct worker_part {
  // Of all workers, by worker: all are open here. -1: not to be accepted from.
  std::vector<std::vector<int>> listeners;
  std::size_t mine = 0;
  worker_seat* seats = nullptr;
  bool one_queue = false;  // all workers have the same listeners
};

// A listener of a worker that is missing, and who accepts from it meanwhile.
struct substitute {
  std::size_t worker;
  int& fd;
  listener from;
  detail::bare_scope acceptor;

  substitute(engine& on, std::size_t of, int& number)
      : worker(of), fd(number), from(listener::adopt(on, number)) {}
};

}  // namespace iolite
