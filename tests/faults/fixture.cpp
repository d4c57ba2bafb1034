// See fixture.hpp.
#include "fixture.hpp"

#include "backends.hpp"

#include <stdexcept>
#include <thread>

namespace iolite_test {

using namespace iolite;

iolite::engine& fault_matrix::on(std::vector<fault> calls,
                                 std::vector<completion_fault> completions,
                                 const engine_options& options) {
  it_.reset();  // before the kernel it stands on
  os_ = std::make_unique<faulty>(kernel::real(), std::move(calls));
  os_->fail_completions(std::move(completions));
  auto made = make_engine_on(*os_, GetParam(), options);
  if (!made) throw std::runtime_error(made.error().message);
  it_ = std::move(*made);
  return *it_;
}

namespace {

task<> accept_one(listener& from, task<> (*handler)(stream)) {
  auto peer = co_await from.accept();
  if (peer) co_await handler(std::move(*peer));
}

}  // namespace

std::string echo_of(iolite::engine& on, const std::string& text, task<> (*handler)(stream)) {
  auto l = listener::open(on, *endpoint::parse("127.0.0.1:0"));
  if (!l) throw std::runtime_error(l.error().message);
  std::string back;
  std::jthread other([&back, &text, at = l->local()] {
    const raw_socket peer = raw_socket::connect(at);
    std::jthread writer([&] {
      peer.send_all(text);
      peer.half_close();
    });
    back = peer.recv_until_end();
  });
  on.run(accept_one(*l, handler));
  l->close();
  other.join();
  return back;
}

namespace {

std::vector<std::string> engines_of_calls() {
  std::vector<std::string> out = engine_names(true);
  std::erase(out, "io_uring");
  std::erase(out, "posix_aio");
  return out;
}
std::vector<std::string> only(const std::string& name) {
  std::vector<std::string> out = engine_names(true);
  std::erase_if(out, [&](const std::string& e) { return e != name; });
  return out;
}
const auto by_name = [](const auto& p) { return p.param; };

}  // namespace

INSTANTIATE_TEST_SUITE_P(faults, fault_matrix, testing::ValuesIn(engine_names(true)), by_name);
INSTANTIATE_TEST_SUITE_P(faults, fault_matrix_of_calls, testing::ValuesIn(engines_of_calls()),
                         by_name);
INSTANTIATE_TEST_SUITE_P(faults, fault_matrix_io_uring, testing::ValuesIn(only("io_uring")),
                         by_name);
INSTANTIATE_TEST_SUITE_P(faults, fault_matrix_posix_aio, testing::ValuesIn(only("posix_aio")),
                         by_name);
INSTANTIATE_TEST_SUITE_P(faults, fault_matrix_signal, testing::ValuesIn(only("signal")), by_name);
INSTANTIATE_TEST_SUITE_P(faults, fault_matrix_poll, testing::ValuesIn(only("poll")), by_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(fault_matrix_io_uring);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(fault_matrix_posix_aio);

}  // namespace iolite_test
