// A kernel that reports: it hands every call to another one and tells its sink what was called,
// when it began and ended, and what it gave.
//
//   traced os(kernel::real(), sink);
//   auto e = make_engine_on(os, "epoll");
//
// Only calls made through it are seen. Times are those of the kernel below, so on a simulated one
// they are virtual and exact. A report costs two looks at the clock.
#pragma once
#include "kernel/kernel.hpp"

namespace iolite {

class traced final : public kernel {
 public:
  class sink {
   public:
    // On the thread that made the call, after it. Must neither wait nor call through the kernel.
    virtual void called(call c, const call_args& a, clock::time_point begin, clock::time_point end,
                        long result) noexcept = 0;

   protected:
    ~sink() = default;
  };

  traced(kernel& below, sink& to) noexcept : below_(below), to_(to) {}

  clock::time_point now() noexcept override { return below_.now(); }
  long invoke(call c, const call_args& a) noexcept override;
  kernel& undecorated() noexcept override { return below_.undecorated(); }

 private:
  kernel& below_;
  sink& to_;
};

}  // namespace iolite
