// A process of a simulated world: its kernel interface, its descriptors. The engines and pollers
// run on it as they do on the real one.
//
// Calls cost a little virtual time. A call that waits lets the others run: see baton.hpp.
#pragma once
#include "kernel/kernel.hpp"
#include "kernel/simulated/descriptors/descriptors.hpp"
#include "kernel/simulated/world/machine.hpp"

#include <sys/resource.h>

namespace iolite {
struct thread_state;
}

namespace iolite::simulated {

class epoll_set;
class any_socket;
class process_file;

class process final : public kernel {
 public:
  process(machine& world, host& at, std::string name, int descriptors_max);
  ~process() override;

  clock::time_point now() noexcept override;
  long invoke(call c, const call_args& a) noexcept override;

  [[nodiscard]] site& where() noexcept { return site_; }
  [[nodiscard]] descriptors& files() noexcept { return files_; }
  [[nodiscard]] const descriptors& files() const noexcept { return files_; }
  [[nodiscard]] std::string describe(int fd) const;
  // On a strand of its own: the first thread, from its first turn to its last.
  void run(const std::function<void()>& body);
  // Called by the program at its end: ends its helper threads, waits for the other ones, and leaves
  // its children without a parent. False: some thread can never end.
  bool end_threads();
  // What now() says, without the call.
  [[nodiscard]] clock::time_point clock_time() const noexcept {
    return site_.world.time.now() + site_.at.clock_ahead;
  }
  // Its host's clock has leapt forward: waits with a deadline look again.
  void clock_has_leapt() noexcept { ++site_.version; }
  // Until its host may go on: see site::held_until.
  void stand_still();

  // --- processes.cpp ---
  // This process, and its descendants.
  template <class Visit>
  void each(Visit visit) {
    visit(*this);
    for (std::size_t i = 0; i < children_.size(); ++i) children_[i]->each(visit);
  }
  // From outside: to this process, or to its group. kill(2).
  void signal(int number);
  void signal_group(int number);
  // It ends; the status is that of waitpid(2). Its program stands still for good.
  void end(int status);
  [[nodiscard]] bool has_ended() const noexcept { return ended_; }
  [[nodiscard]] std::string how_it_ended() const;
  // The world is taken down: the program goes on from where it stands, to its end.
  void resume_for_the_end();
  // Called by the thread that drives the world: runs what is left of all descendants and their
  // threads to its end. False: some can never end.
  bool unwind();

  // Called by each thread before it waits. And: when something of it will want to run again
  // although nothing happens, for programs that look again and again without saying until when.
  // And: when one that the process has started ends.
  struct listener {
    virtual void about_to_wait() {}
    virtual clock::time_point next_deadline() { return never; }
    virtual void thread_ends() {}

   protected:
    ~listener() = default;
  };
  void tell(listener* l) noexcept { told_ = l; }

 private:
  static constexpr clock::duration call_cost = std::chrono::nanoseconds(200);
  static constexpr clock::duration clock_cost = std::chrono::nanoseconds(20);

  long perform(call c, const call_args& a);
  long descriptor_call(call c, const call_args& a);

  // --- process.cpp ---
  long new_pipe(int* two, int flags);
  long control(int fd, int command, long argument);
  long own(file& f, int command, long argument);
  [[nodiscard]] rlim_t limit_of(int resource) const noexcept;
  long map(const call_args& a);
  long unmap(const call_args& a);
  // --- socket_calls.cpp ---
  long socket_call(call c, const call_args& a);
  long transfer(call c, const call_args& a);
  long send_gathered(const call_args& a);
  long new_socket(int domain, int type, int protocol);
  long new_pair(int domain, int type, int* two);
  long accept(int fd, sockaddr* to, socklen_t* bytes, int flags);
  long connect(int fd, const sockaddr* to, socklen_t bytes);
  [[nodiscard]] std::shared_ptr<any_socket> socket_at(int fd, int& error) const;
  template <class Attempt>
  long until_ready(const std::shared_ptr<file>& f, short bits, bool wait, Attempt attempt);

  // --- threads.cpp ---
  using thread_function = void*(void*);
  // Who yields in vain rests longer each time.
  struct yielding {
    clock::duration rest{};  // of the next time
    std::uint64_t at = 0;  // the version then
  };
  struct thread {
    explicit thread(long n) noexcept : number(n) {}
    const long number;
    yielding yields;
    const thread_state* state = nullptr;  // since its first turn
    bool over = false;
    bool detached = false;
  };
  void run_thread(const sigset_t& blocked, const std::function<void()>& body);
  long thread_call(call c, const call_args& a);
  long start_thread(thread_function* enter, void* argument);
  void forget(const thread& t) noexcept;
  [[nodiscard]] thread* current_thread() const noexcept;  // null: the first
  [[nodiscard]] long pid() const noexcept { return 100 + static_cast<long>(site_.number); }
  template <class Holds>
  bool wait_for_threads(Holds holds);

  // --- processes.cpp ---
  explicit process(process& parent);
  long process_call(call c, const call_args& a);
  long fork(const child_body& body);
  long wait_for_child(int which, int* status, int options);
  long kill(long which, int number);
  long open_process(int which);
  long join_group(long which, long group);
  long begin_session();
  void leave_children();
  void is_orphaned();
  void run_handlers();
  [[nodiscard]] process* ended_child(int which, bool& known) const noexcept;
  // --- file_calls.cpp ---
  long file_call(call c, const call_args& a);
  long open(const char* path, int flags);
  long path_call(call c, const call_args& a);
  long lock(int fd, int operation);
  long send_file(int to, int from, off_t* at, std::size_t n);
  long splice(const call_args& a);
  long write_whole(const std::shared_ptr<file>& to, std::span<const std::byte> bytes, bool waits);

  // --- aio_calls.cpp ---
  struct aio_request {
    const aiocb* control;
    call what;
    clock::time_point earliest;  // a helper takes its time
    int error = EINPROGRESS;  // as aio_error(3) says
    long result = 0;
  };
  long aio_call(call c, const call_args& a);
  long start_request(call what, const aiocb* control);
  void make_requests();
  static long make(const aio_request& r, file& on);
  [[nodiscard]] aio_request* find_request(const aiocb* control) noexcept;
  long await_requests(std::span<const aiocb* const> list, const timespec* t);

  // --- waits.cpp ---
  long poll(pollfd* fds, std::size_t n, int ms);
  long select(const call_args& a);
  long epoll_control(int ep, int operation, int fd, const epoll_event* e);
  long epoll_wait(int ep, epoll_event* out, int most, int ms);
  long ring_setup(unsigned entries, io_uring_params* p);
  long ring_enter(const call_args& a);
  long wait_for_signal(const sigset_t& set, siginfo_t* out, const timespec* t);
  long sleep(const timespec* t);
  void spend(clock::duration length);
  long yield();
  long futex(std::uint32_t* word, std::uint32_t expected, const timespec* t);
  [[nodiscard]] bool lies(int fd, int asked);
  // 0: it holds; -ETIMEDOUT, -EINTR, or -EDEADLK where nothing can ever happen.
  template <class Holds>
  long wait(const std::uint64_t* version, clock::time_point until, Holds holds);
  template <class Holds>
  waited wait_in_turn(const std::uint64_t* version, clock::time_point until, Holds holds);
  [[nodiscard]] clock::time_point deadline(clock::duration length);
  // -ENOBUFS or -ENOMEM, when the fault says so; else 0.
  long refuse_memory();
  [[nodiscard]] bool wrong(fault_kind k) { return site_.world.goes_wrong(k, site_.number); }

  process* const ancestor_;  // the first of those that share files; itself
  process* parent_ = nullptr;  // null: that of all
  std::vector<std::unique_ptr<process>> children_;  // also those that nobody can ask for any more
  long group_ = 0, session_ = 0;
  int death_signal_ = 0;  // PR_SET_PDEATHSIG
  bool ended_ = false;
  int status_ = 0;
  std::vector<std::weak_ptr<process_file>> watched_by_;
  std::uint64_t news_ = 0;  // site::version, of the first
  site site_;
  descriptors files_;
  // Memory of rings, by its address: it outlives their descriptors.
  std::vector<std::shared_ptr<std::byte[]>> mapped_;
  // By address: what a process shares with its descendants lasts as long as the first of them.
  std::vector<std::pair<long, std::size_t>> shared_memory_;
  std::vector<std::unique_ptr<thread>> threads_;  // but for the first
  std::vector<aio_request> requests_;  // whose results nobody has asked for
  listener* told_ = nullptr;
  yielding yields_;  // the first thread
};

}  // namespace iolite::simulated
