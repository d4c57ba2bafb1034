// See process.hpp: aio(7). A request is a call that a helper thread makes a little later, in the
// order of those on its descriptor. The helper finds the file by its number, as glibc's does: a
// number that was used again meanwhile is another file.
//
// Progress is made in aio_suspend(3) and aio_error(3) only: nobody else can see any.
#include "kernel/simulated/descriptors/wait.hpp"
#include "kernel/simulated/processes/process.hpp"

#include <aio.h>
#include <algorithm>

namespace iolite::simulated {

process::aio_request* process::find_request(const aiocb* control) noexcept {
  const auto it = std::ranges::find(requests_, control, &aio_request::control);
  return it == requests_.end() ? nullptr : &*it;
}

long process::aio_call(call c, const call_args& a) {
  switch (c) {
  case call::aio_read:
  case call::aio_write: return start_request(c, a.as<aiocb*>(0));
  case call::aio_fsync: return start_request(c, a.as<aiocb*>(1));
  case call::aio_suspend:
    return await_requests({a.as<const aiocb* const*>(0), a.as<std::size_t>(1)},
                          a.as<const timespec*>(2));
  case call::aio_error: {
    make_requests();
    const aio_request* const r = find_request(a.as<const aiocb*>(0));
    return r ? r->error : -EINVAL;
  }
  default: {  // aio_return: the result, once
    const aio_request* const r = find_request(a.as<const aiocb*>(0));
    if (!r || r->error == EINPROGRESS) return -EINVAL;
    const long result = r->error > 0 ? -r->error : r->result;
    requests_.erase(requests_.begin() + (r - requests_.data()));
    return result;
  }
  }
}

long process::start_request(call what, const aiocb* control) {
  if (wrong(fault_kind::no_memory)) return -EAGAIN;
  machine& w = site_.world;
  const bool syncs = what == call::aio_fsync;
  const auto most = syncs ? site_.at.sync_max : std::chrono::microseconds(30);
  const auto begin = w.time.now() + w.random.between({}, most);
  requests_.push_back({control, what, begin});
  return 0;
}

void process::make_requests() {
  if (site_.is_held()) return;
  for (aio_request& r : requests_) {
    const auto same = [&](const aio_request& earlier) {
      return earlier.error == EINPROGRESS && earlier.control->aio_fildes == r.control->aio_fildes;
    };
    // The first of those on its descriptor that are not done.
    if (&*std::ranges::find_if(requests_, same) != &r) continue;
    if (r.earliest > site_.world.time.now()) continue;
    const auto on = files_.share(r.control->aio_fildes);
    const long n = on ? make(r, *on) : -EBADF;
    if (n == -EAGAIN && (on->status_flags & O_NONBLOCK) == 0) continue;  // the helper waits
    r.error = n < 0 ? static_cast<int>(-n) : 0;
    r.result = n;
  }
}

long process::make(const aio_request& r, file& on) {
  const std::span bytes(static_cast<std::byte*>(const_cast<void*>(r.control->aio_buf)),
                        r.control->aio_nbytes);
  const auto at = static_cast<std::uint64_t>(r.control->aio_offset);
  if (r.what == call::aio_fsync) return on.sync();
  if (!on.is_regular()) return r.what == call::aio_read ? on.read(bytes) : on.write(bytes);
  if (r.control->aio_offset < 0) return -EINVAL;
  return r.what == call::aio_read ? on.read_at(bytes, at) : on.write_at(bytes, at);
}

long process::await_requests(std::span<const aiocb* const> list, const timespec* t) {
  machine& w = site_.world;
  const auto until = t ? deadline(length_of(*t)) : never;
  const auto done = [&](const aiocb* one) {
    const aio_request* const r = one ? find_request(one) : nullptr;
    return r && r->error != EINPROGRESS;
  };
  const auto holds = [&] {
    make_requests();
    return std::ranges::any_of(list, done);
  };
  for (;;) {
    clock::time_point next = until;
    for (const aio_request& r : requests_) {
      if (r.earliest > w.time.now()) next = std::min(next, r.earliest);
    }
    const long r = wait(&site_.version, next, holds);
    if (r != -ETIMEDOUT) return r;
    if (holds()) return 0;
    if (w.time.now() >= until) return -EAGAIN;
  }
}

}  // namespace iolite::simulated
