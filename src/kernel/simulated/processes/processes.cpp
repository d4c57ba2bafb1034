// See process.hpp: processes and their children. fork(2), waitpid(2), pidfd_open(2), kill(2),
// setpgid(2), setsid(2).
//
// No memory is copied. A child is a process of its own that runs a copy of what it was given, and
// has descriptors, signals and threads to itself.
#include "kernel/simulated/descriptors/small_files.hpp"
#include "kernel/simulated/descriptors/wait.hpp"
#include "kernel/simulated/processes/process.hpp"

#include <algorithm>
#include <new>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <utility>

namespace iolite::simulated {
namespace {

unsigned new_number(machine& m, std::string name) {
  m.process_names.push_back(std::move(name));
  return static_cast<unsigned>(m.process_names.size() - 1);
}

std::string name_of_child(const machine& m, unsigned parent) {
  return m.process_names[parent] + "'s child " + std::to_string(m.process_names.size());
}

}  // namespace

process::process(machine& m, host& at, std::string name, int descriptors_max)
    : ancestor_(this), site_(m, at, new_number(m, std::move(name)), news_),
      files_(descriptors_max) {
  group_ = session_ = pid();
  at.processes[pid()] = this;
}

process::process(process& parent)
    : ancestor_(parent.ancestor_), parent_(&parent), group_(parent.group_),
      session_(parent.session_),
      site_(parent.site_.world, parent.site_.at,
            new_number(parent.site_.world, name_of_child(parent.site_.world, parent.site_.number)),
            ancestor_->news_),
      files_(parent.files_.limit()), told_(parent.told_) {
  files_.share_all(parent.files_);
  site_.signals.inherit(parent.site_.signals);
  site_.signals.queue_max = parent.site_.signals.queue_max;
  site_.at.processes[pid()] = this;
}

process::~process() {
  children_.clear();  // their files may be this one's, too
  site_.at.processes.erase(pid());
  delete kept;
  for (const auto& [at, bytes] : shared_memory_) {
    kernel::real().munmap(reinterpret_cast<void*>(at), bytes);
  }
}

long process::fork(const child_body& body) {
  if (ended_) return -EAGAIN;
  if (wrong(fault_kind::no_memory)) return -ENOMEM;
  process& child = *children_.emplace_back(new process(*this));
  const sigset_t blocked = site_.signals.blocked();
  try {
    site_.world.turns.start([&child, body, blocked] {
      child.run_thread(blocked, [&] { child.end(W_EXITCODE(body(child), 0)); });
    });
  } catch (const std::bad_alloc&) {
    children_.pop_back();
    return -EAGAIN;
  }
  return child.pid();
}

// --- the end ---

void process::end(int status) {
  if (ended_) return;
  ended_ = true;
  status_ = status;
  site_.held_until = never;
  files_.let_go();
  leave_children();
  if (!parent_) site_.at.processes.erase(pid());
  for (const auto& w : watched_by_) {
    if (const auto f = w.lock()) f->end();
  }
  ++site_.version;
  if (parent_) parent_->signal(SIGCHLD);
}

void process::leave_children() {
  for (const auto& c : children_) {
    if (c->parent_ == this) c->is_orphaned();
  }
}

// Its parent is now one that waits for it at once.
void process::is_orphaned() {
  parent_ = nullptr;
  if (ended_) site_.at.processes.erase(pid());
  else if (death_signal_ != 0) signal(death_signal_);
}

std::string process::how_it_ended() const {
  if (WIFSIGNALED(status_)) return "ended by signal " + std::to_string(WTERMSIG(status_));
  return "ended with status " + std::to_string(WEXITSTATUS(status_));
}

void process::resume_for_the_end() {
  site_.held_until = timeline::start;
  if (ended_ && kept) kept->process_ends();
}

bool process::unwind() {
  baton& turns = site_.world.turns;
  each([](process& p) { p.resume_for_the_end(); });
  const auto until = site_.world.time.now() + std::chrono::minutes(10);
  return turns.watch(until, [&] { return turns.running() == 0; }) == waited::holds;
}

// A child that has ended, and may be waited for. Is there any such child?
process* process::ended_child(int which, bool& known) const noexcept {
  for (const auto& c : children_) {
    const bool meant = which == -1 || which == c->pid() || (which == 0 && c->group_ == group_) ||
                       (which < -1 && c->group_ == -which);
    if (!meant || c->parent_ != this) continue;
    known = true;
    if (c->ended_) return c.get();
  }
  return nullptr;
}

long process::wait_for_child(int which, int* status, int options) {
  bool known = false;
  process* found = ended_child(which, known);
  if (!known) return -ECHILD;
  if (!found && (options & WNOHANG) != 0) return 0;
  const auto look = [&] { return (found = ended_child(which, known)) != nullptr; };
  if (!found) {
    const long r = wait(&site_.version, never, look);
    if (r < 0) return r;
  }
  if (status) *status = found->status_;
  found->parent_ = nullptr;
  site_.at.processes.erase(found->pid());
  return found->pid();
}

long process::open_process(int which) {
  const auto it = site_.at.processes.find(which);
  if (it == site_.at.processes.end()) return -ESRCH;
  if (!files_.has_room()) return -EMFILE;
  const auto f = std::make_shared<process_file>(site_, it->second->ended_);
  it->second->watched_by_.push_back(f);
  return files_.add(f, true);
}

// --- signals ---

void process::signal(int number) {
  if (ended_ || number == 0) return;
  if (site_.signals.from_process(number, 0)) return end(W_EXITCODE(0, number));
  ++site_.version;
}

void process::signal_group(int number) {
  const std::map<long, process*> all = site_.at.processes;  // one may end another
  for (const auto& [id, p] : all) {
    if (p->group_ == group_) p->signal(number);
  }
}

long process::kill(long which, int number) {
  if (number < 0 || number >= NSIG) return -EINVAL;
  const long group = which == 0 ? group_ : -which;
  bool known = false;
  const std::map<long, process*> all = site_.at.processes;
  for (const auto& [id, p] : all) {
    const bool meant = which > 0 ? id == which : which == -1 ? p != this : p->group_ == group;
    if (!meant) continue;
    known = true;
    p->signal(number);
  }
  return known ? 0 : -ESRCH;
}

// What a signal has brought: see signal_table.
void process::run_handlers() {
  while (!ended_ && site_.signals.interrupts(&state_of_thread())) {
    const signal_table::handling h = site_.signals.begin_handling();
    if (!h.handler) return end(W_EXITCODE(0, h.number));
    h.handler(h.number);
    site_.signals.end_handling(h);
  }
}

// --- groups ---

long process::join_group(long which, long group) {
  const auto it = site_.at.processes.find(which == 0 ? pid() : which);
  if (group < 0) return -EINVAL;
  if (it == site_.at.processes.end() || (it->second != this && it->second->parent_ != this)) {
    return -ESRCH;
  }
  process& who = *it->second;
  const long wanted = group == 0 ? who.pid() : group;
  const bool exists = std::ranges::any_of(site_.at.processes, [&](const auto& p) {
    return p.second->group_ == wanted && p.second->session_ == session_;
  });
  const bool leads = who.session_ == who.pid();
  if (leads || who.session_ != session_ || (wanted != who.pid() && !exists)) return -EPERM;
  who.group_ = wanted;
  return 0;
}

long process::begin_session() {
  const bool is_taken = std::ranges::any_of(
      site_.at.processes, [this](const auto& p) { return p.second->group_ == pid(); });
  if (is_taken) return -EPERM;
  return group_ = session_ = pid();
}

long process::process_call(call c, const call_args& a) {
  switch (c) {
  case call::fork: return fork(*a.as<const child_body*>(0));
  case call::exit: return end(W_EXITCODE(a.as<int>(0) & 0xff, 0)), 0;
  case call::waitpid: return wait_for_child(a.as<int>(0), a.as<int*>(1), a.as<int>(2));
  case call::kill: return kill(a.as<int>(0), a.as<int>(1));
  case call::pidfd_open: return open_process(a.as<int>(0));
  case call::getpid: return pid();
  case call::getppid: return parent_ ? parent_->pid() : 1;
  case call::setpgid: return join_group(a.as<int>(0), a.as<int>(1));
  case call::getpgid: {
    const auto it = site_.at.processes.find(a.word[0] == 0 ? pid() : a.as<int>(0));
    return it == site_.at.processes.end() ? -ESRCH : it->second->group_;
  }
  case call::setsid: return begin_session();
  case call::prctl:
    if (a.as<int>(0) != PR_SET_PDEATHSIG) return -EINVAL;
    if (a.word[1] < 0 || a.word[1] >= NSIG) return -EINVAL;
    return death_signal_ = a.as<int>(1), 0;
  default: return -ENOSYS;
  }
}

}  // namespace iolite::simulated
