// See served.hpp.
#include "support/served.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace iolite_test {
namespace {

// Between the two processes: a word, a blank, and the rest of the line.
[[noreturn]] void run_server(const iolite::handler& h, iolite::serve_options options,
                             const served::serving& how, const raw_socket& tell) {
  ::alarm(60);
  options.on_listening = [&tell,
                          first = options.on_listening](const iolite::model_choice& model,
                                                        const std::vector<iolite::endpoint>& at) {
    if (first) first(model, at);
    std::string lines;
    for (const iolite::endpoint& e : at) lines += "address " + e.to_string() + "\n";
    tell.send_all(lines + "listening \n");
  };
  options.log = [&tell](std::string_view line) {
    tell.send_all("log " + std::string(line) + "\n");
  };
  const auto r = how(h, options);
  if (!r) {
    tell.send_all("error " + r.error().message + "\n");
  } else {
    std::ostringstream line;
    line << "report " << r->connections << ' ' << r->handler_failures << ' ' << r->accept_pauses
         << ' ' << r->children_restarted << ' ' << r->connections_cancelled << ' '
         << r->connections_left << ' ' << r->connections_now << ' ' << r->connections_refused << ' '
         << r->transfers_timed_out << '\n';
    tell.send_all(line.str());
  }
  std::exit(r ? 0 : 1);
}

}  // namespace

served::served(iolite::handler h, iolite::serve_options options,
               const std::function<void()>& before, const serving& how) {
  raw_pair line = raw_unix_pair();
  std::fflush(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::system_category(), "fork");
  if (pid_ == 0) {
    ::setpgid(0, 0);  // so that whatever it leaves behind can be found
    line.a.close();
    if (before) before();
    run_server(h, std::move(options), how, line.b);
  }
  group_ = pid_;
  line.b.close();
  told_ = std::move(line.a);
  for (std::string text; read_line(text);) {
    understand(text);
    if (text == "listening ") break;
  }
}

served::~served() {
  if (pid_ > 0) stop(SIGKILL);
  if (group_ > 0) ::kill(-group_, SIGKILL);
}

bool served::left_nothing_running() const noexcept { return ::kill(-group_, 0) != 0; }

void served::signal(int number) const noexcept {
  if (pid_ > 0) ::kill(pid_, number);
}

void served::signal_all(int number) const noexcept {
  if (group_ > 0) ::kill(-group_, number);
}

int served::wait() {
  if (pid_ <= 0) return 0;
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  told_.set_recv_limit_ms(1);  // all it had to say is here
  for (std::string text; read_line(text);) understand(text);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool served::read_line(std::string& line) {
  for (;;) {
    if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
      line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return true;
    }
    try {
      const std::string more = told_.recv_some();
      if (more.empty()) return false;
      unread_ += more;
    } catch (const std::system_error&) {
      return false;
    }
  }
}

void served::understand(const std::string& line) {
  const std::string rest = line.substr(line.find(' ') + 1);
  if (line.starts_with("address ")) {
    if (const auto e = iolite::endpoint::parse(rest)) at_.push_back(*e);
  } else if (line.starts_with("log ")) {
    log_.push_back(rest);
  } else if (line.starts_with("error ")) {
    error_ = rest;
  } else if (line.starts_with("report ")) {
    std::istringstream in(rest);
    in >> report_.connections >> report_.handler_failures >> report_.accept_pauses >>
        report_.children_restarted >> report_.connections_cancelled >> report_.connections_left >>
        report_.connections_now >> report_.connections_refused >> report_.transfers_timed_out;
  }
}

child_processes children_of(pid_t process) {
  const std::string id = std::to_string(process);
  std::ifstream list("/proc/" + id + "/task/" + id + "/children");
  child_processes out;
  for (std::string child; list >> child;) {
    std::ifstream file("/proc/" + child + "/stat");
    std::string line;
    std::getline(file, line);
    const std::size_t end = line.rfind(')');
    if (end == std::string::npos) continue;
    ++(line[end + 2] == 'Z' ? out.zombies : out.living);
  }
  return out;
}

bool signal_was_taken(pid_t process, int number) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  const std::uint64_t bit = std::uint64_t{1} << (number - 1);
  for (std::string line; std::getline(status, line);) {
    const bool pending = line.starts_with("SigPnd:") || line.starts_with("ShdPnd:");
    if (pending && (std::stoull(line.substr(7), nullptr, 16) & bit) != 0) return false;
  }
  return true;
}

}  // namespace iolite_test
