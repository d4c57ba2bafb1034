// What one call gives on the simulated kernel is what it gives on the real one: processes. See
// session.hpp. A child tells what it has found by its exit status, or through a pipe. It uses
// copies: a simulated one that was killed goes on when the script is over, to its end.
#include "session.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <string>

namespace iolite_test {
namespace {

using namespace iolite;

struct pipe_ends {
  int reads = -1, writes = -1;
  explicit pipe_ends(session& s) {
    int two[2] = {-1, -1};
    s.os().pipe2(two, O_CLOEXEC);
    reads = s.keep(two[0]);
    writes = s.keep(two[1]);
  }
};

void say(kernel& os, int fd, char what) { os.write(fd, &what, 1); }
char hear(kernel& os, int fd) {
  char c = '-';
  while (os.read(fd, &c, 1) == -EINTR) {
  }
  return c;
}

// Its status, by how it ended; numbers of processes are not compared.
void wait_for(session& s, int pid, const char* what) {
  int status = 0;
  long r = -EINTR;
  while (r == -EINTR) r = s.os().waitpid(pid, &status, 0);
  s.note(std::string(what) + ": waited for", r == pid ? 0 : r);
  s.note("exited", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  s.note("signalled", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
}

// Until it is told to go on, or for ever.
int wait_for_word(kernel& os, int fd) { return hear(os, fd) == 'g' ? 7 : 8; }

TEST(differential, the_status_of_a_child) {
  expect_same([](session& s) {
    const int pid = s.os().fork([](kernel&) { return 3; });
    s.note("forked", pid > 0);
    wait_for(s, pid, "child");
    s.note("again", s.os().waitpid(pid, nullptr, 0));
    s.note("any", s.os().waitpid(-1, nullptr, WNOHANG));
    wait_for(s, s.os().fork([](kernel& os) { return os.exit(4), 5; }), "exit");
    wait_for(s, s.os().fork([](kernel&) { return 0x1ff; }), "eight bits");
  });
}

TEST(differential, a_child_that_lives_is_not_waited_for) {
  expect_same([](session& s) {
    const pipe_ends word(s);
    const int pid = s.os().fork([=](kernel& os) { return wait_for_word(os, word.reads); });
    s.note("lives", s.os().waitpid(pid, nullptr, WNOHANG));
    s.note("any lives", s.os().waitpid(-1, nullptr, WNOHANG));
    s.note("kill 0", s.os().kill(pid, 0));
    say(s.os(), word.writes, 'g');
    wait_for(s, pid, "child");
    s.note("kill 0", s.os().kill(pid, 0));
    s.note("pidfd", s.os().pidfd_open(pid));
  });
}

TEST(differential, a_pidfd_is_readable_from_the_end_on) {
  expect_same([](session& s) {
    const pipe_ends word(s);
    const int pid = s.os().fork([=](kernel& os) { return wait_for_word(os, word.reads); });
    const int fd = s.keep(s.os().pidfd_open(pid));
    s.poll(fd, POLLIN | POLLOUT);
    say(s.os(), word.writes, 'g');
    s.until(fd, POLLIN);
    s.poll(fd, POLLIN | POLLOUT);
    const int late = s.keep(s.os().pidfd_open(pid));
    s.poll(late, POLLIN);
    wait_for(s, pid, "child");
    char c = 0;
    s.note("read", s.os().read(fd, &c, 1));
  });
}

TEST(differential, descriptors_are_shared_until_all_have_closed_them) {
  expect_same([](session& s) {
    const auto two = s.unix_pair();
    const pipe_ends word(s);
    const int pid = s.os().fork([=](kernel& os) {
      os.close(two.a);
      os.send(two.b, "child", 5, 0);
      return wait_for_word(os, word.reads);
    });
    s.os().close(two.b);  // the child has it yet
    s.until(two.a, POLLIN);
    s.receive(two.a);
    s.poll(two.a, POLLIN);
    s.note("no end", s.os().recv(two.a, nullptr, 0, MSG_DONTWAIT | MSG_PEEK));
    say(s.os(), word.writes, 'g');
    wait_for(s, pid, "child");
    s.until(two.a, POLLIN);
    s.receive(two.a);
  });
}

TEST(differential, a_killed_child_lets_go_of_what_it_had) {
  expect_same([](session& s) {
    const auto two = s.tcp_pair();
    const pipe_ends never(s);
    const int pid = s.os().fork([=](kernel& os) { return wait_for_word(os, never.reads); });
    s.close(two.b);
    s.poll(two.a, POLLIN);
    s.note("kill", s.os().kill(pid, SIGKILL));
    wait_for(s, pid, "child");
    s.until(two.a, POLLIN);
    s.receive(two.a);
  });
}

TEST(differential, what_kill_refuses) {
  expect_same([](session& s) {
    s.note("no such signal", s.os().kill(s.os().getpid(), 1000));
    s.note("negative", s.os().kill(s.os().getpid(), -1));
    s.note("no such process", s.os().kill(0x3fffffff, SIGTERM));
    s.note("no such group", s.os().kill(-0x3fffffff, SIGTERM));
    s.note("no such pidfd", s.os().pidfd_open(0x3fffffff));
    s.note("no child", s.os().waitpid(0x3fffffff, nullptr, WNOHANG));
  });
}

TEST(differential, what_a_signal_without_a_handler_does) {
  expect_same([](session& s) {
    for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGKILL, SIGCHLD, SIGWINCH}) {
      const pipe_ends word(s), up(s);
      const int pid = s.os().fork([=](kernel& os) {
        say(os, up.writes, 'u');
        return wait_for_word(os, word.reads);
      });
      hear(s.os(), up.reads);
      s.note("kill", s.os().kill(pid, number));
      say(s.os(), word.writes, 'g');  // for those that it does not end
      wait_for(s, pid, std::to_string(number).c_str());
    }
  });
}

TEST(differential, a_blocked_signal_waits) {
  expect_same([](session& s) {
    const pipe_ends word(s), up(s);
    const int pid = s.os().fork([=](kernel& os) {
      sigset_t term, waiting;
      sigemptyset(&term);
      sigaddset(&term, SIGTERM);
      os.sigprocmask(SIG_BLOCK, &term, nullptr);
      say(os, up.writes, 'u');
      hear(os, word.reads);
      os.sigpending(&waiting);
      say(os, up.writes, sigismember(&waiting, SIGTERM) == 1 ? 'w' : 'n');
      os.sigprocmask(SIG_UNBLOCK, &term, nullptr);  // here it ends
      return 9;
    });
    s.note("up", hear(s.os(), up.reads));
    s.note("kill", s.os().kill(pid, SIGTERM));
    say(s.os(), word.writes, 'g');
    s.note("waits", hear(s.os(), up.reads));
    wait_for(s, pid, "child");
  });
}

int handled = 0;  // of the process that runs the script: children of the real kernel copy it
void count_it(int) { ++handled; }

void handle(kernel& os, int number, void (*by)(int)) {
  struct sigaction act{};
  act.sa_handler = by;
  sigemptyset(&act.sa_mask);
  os.sigaction(number, &act, nullptr);
}

TEST(differential, a_handler_runs_and_interrupts_what_waits) {
  expect_same([](session& s) {
    handled = 0;
    struct sigaction before{};
    s.os().sigaction(SIGUSR1, nullptr, &before);
    handle(s.os(), SIGUSR1, count_it);
    s.note("to itself", s.os().kill(s.os().getpid(), SIGUSR1));
    s.note("handled", handled);
    const int parent = s.os().getpid();
    const pipe_ends never(s);
    const int pid = s.os().fork([=](kernel& os) {
      const timespec soon{0, 20'000'000};
      os.nanosleep(&soon);
      os.kill(parent, SIGUSR1);
      return 0;
    });
    char c = 0;
    s.note("interrupted", s.os().read(never.reads, &c, 1));
    s.note("handled", handled);
    wait_for(s, pid, "child");
    s.os().sigaction(SIGUSR1, &before, nullptr);
  });
}

TEST(differential, a_child_has_the_handlers_and_the_mask_of_its_parent) {
  expect_same([](session& s) {
    struct sigaction before{};
    s.os().sigaction(SIGUSR2, nullptr, &before);
    handle(s.os(), SIGUSR2, count_it);
    sigset_t one, mask;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    s.os().sigprocmask(SIG_BLOCK, &one, &mask);
    s.os().kill(s.os().getpid(), SIGUSR1);  // it waits here, and not for the child
    const int pid = s.os().fork([](kernel& os) {
      struct sigaction act{};
      sigset_t blocked, waiting;
      os.sigaction(SIGUSR2, nullptr, &act);
      os.sigprocmask(SIG_BLOCK, nullptr, &blocked);
      os.sigpending(&waiting);
      return (act.sa_handler == count_it ? 1 : 0) + (sigismember(&blocked, SIGUSR1) == 1 ? 2 : 0) +
             (sigismember(&waiting, SIGUSR1) == 1 ? 4 : 0);
    });
    wait_for(s, pid, "child");
    siginfo_t info{};
    constexpr timespec at_once{};
    s.note("taken", s.os().sigtimedwait(&one, &info, &at_once));
    s.note("code", info.si_code);
    s.os().sigprocmask(SIG_SETMASK, &mask, nullptr);
    s.os().sigaction(SIGUSR2, &before, nullptr);
  });
}

TEST(differential, a_group_is_told_together) {
  expect_same([](session& s) {
    const pipe_ends never(s), up(s);
    const int leader = s.os().fork([=](kernel& os) {
      os.setpgid(0, 0);
      say(os, up.writes, 'u');
      return wait_for_word(os, never.reads);
    });
    hear(s.os(), up.reads);
    s.note("a group of its own", s.os().getpgid(leader) == leader);
    const int member = s.os().fork([=](kernel& os) { return wait_for_word(os, never.reads); });
    s.note("joins", s.os().setpgid(member, leader));
    s.note("another's", s.os().setpgid(member, 0x3fffffff));
    s.note("not a child", s.os().setpgid(0x3fffffff, leader));
    const int apart = s.os().fork([=](kernel& os) { return wait_for_word(os, never.reads); });
    s.note("kill", s.os().kill(-leader, SIGTERM));
    wait_for(s, leader, "leader");
    wait_for(s, member, "member");
    s.note("apart", s.os().waitpid(apart, nullptr, WNOHANG));
    s.note("the group is gone", s.os().kill(-leader, SIGTERM));
    s.os().kill(apart, SIGKILL);
    wait_for(s, apart, "apart");
  });
}

TEST(differential, a_session_begins_once) {
  expect_same([](session& s) {
    const int pid = s.os().fork([](kernel& os) {
      const bool first = os.setsid() == os.getpid();
      const bool again = os.setsid() == -EPERM;
      const bool moves = os.setpgid(0, 0) == -EPERM;
      return (first ? 1 : 0) + (again ? 2 : 0) + (moves ? 4 : 0);
    });
    wait_for(s, pid, "child");
  });
}

TEST(differential, a_child_dies_with_its_parent_where_it_has_asked_to) {
  expect_same([](session& s) {
    const pipe_ends never(s), up(s);
    int two[2] = {-1, -1};
    s.os().pipe2(two, 0);
    const int pid = s.os().fork([=](kernel& os) {
      os.close(two[0]);
      const int grandchild = os.fork([=](kernel& own) {
        own.prctl(PR_SET_PDEATHSIG, SIGKILL);
        say(own, up.writes, 'u');
        return wait_for_word(own, never.reads);  // and with it the pipe ends
      });
      os.close(two[1]);
      hear(os, up.reads);
      return grandchild > 0 ? 0 : 1;
    });
    s.os().close(two[1]);
    wait_for(s, pid, "child");
    char c = 0;
    s.note("the end of the grandchild", s.os().read(two[0], &c, 1));
    s.os().close(two[0]);
  });
}

TEST(differential, any_child_is_waited_for) {
  expect_same([](session& s) {
    const std::array pids = {s.os().fork([](kernel&) { return 1; }),
                             s.os().fork([](kernel&) { return 1; })};
    for (int left = 2; left > 0;) {
      int status = 0;
      const int r = s.os().waitpid(-1, &status, 0);
      if (r == -EINTR) continue;
      s.note("one of them", r == pids[0] || r == pids[1]);
      s.note("status", WEXITSTATUS(status));
      --left;
    }
    s.note("none left", s.os().waitpid(-1, nullptr, 0));
  });
}

}  // namespace
}  // namespace iolite_test
