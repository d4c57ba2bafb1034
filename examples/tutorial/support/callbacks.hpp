// A server of lines that calls back: one thread, a selector, and functions that must not wait.
#pragma once
#include "support/lines.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace tutorial {

// A client, as its program sees it: what is to be remembered of it goes into a derived class. The
// functions return at once, since nobody else is served meanwhile.
class callback_client {
 public:
  callback_client() = default;
  callback_client(const callback_client&) = delete;
  callback_client& operator=(const callback_client&) = delete;
  virtual ~callback_client() = default;
  virtual void on_connected() = 0;
  virtual void on_line(const std::string& line) = 0;

 protected:
  // Sent as soon as the client takes it. Until then, nothing more is received from it.
  void send(std::string_view text) { unsent_ += text; }

 private:
  friend class callback_server;
  line_splitter lines_;
  std::string unsent_;
  bool over_ = false;  // nothing more will come
};

// Serves until ^C. `facility` as for a selector; when it cannot, one line, and the program ends.
void serve_callbacks(const std::string& listen, const std::string& facility,
                     const std::function<std::unique_ptr<callback_client>()>& make_client);

}  // namespace tutorial
