// Lines from a stream, for the handlers that talk in lines.
#pragma once
#include <iolite/stream.hpp>
#include <optional>
#include <string>

namespace tutorial {

// The next line without its newline; none at the end of the stream, and when a line is longer than
// a kilobyte or two. `read` keeps what has come behind it; it belongs to the stream.
iolite::task<std::optional<std::string>> next_line(iolite::stream& from, std::string& read);

}  // namespace tutorial
