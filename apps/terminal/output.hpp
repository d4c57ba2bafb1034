// Results on standard output, everything else on standard error, files whole or not at all.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace iolite::app {

inline constexpr int status_done = 0;
inline constexpr int status_failed = 1;
inline constexpr int status_usage = 2;

// Writes and flushes. False: standard output cannot take it; a reader that went away (EPIPE) is
// not worth a message, anything else has been complained about.
bool print(std::string_view text);

// `iolite: MESSAGE` on standard error, as one safe line whatever the message holds: one_line.hpp.
void complain(std::string_view message);

// Complains, and gives the status of a failure.
[[nodiscard]] int failed(std::string_view message);
[[nodiscard]] int wrong_usage(std::string_view message);

// What an errno means.
[[nodiscard]] std::string error_text(int number);

// To a file by way of a temporary name, or to standard output for "-". The exit status.
[[nodiscard]] int write_result(const std::string& target, std::string_view text);
[[nodiscard]] int write_json(const std::string& target, const nlohmann::ordered_json& value);

// Makes descriptors 0, 1 and 2 exist, so that no socket takes their numbers; ignores SIGPIPE.
void prepare_standard_streams();

// As many descriptors as the system grants without being asked for more: the hard limit. How many.
std::uint64_t raise_descriptor_limit();

}  // namespace iolite::app
