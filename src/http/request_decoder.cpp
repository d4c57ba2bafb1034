// See decoder.hpp: what a request must have (RFC 9112, 3).
#include "http/characters.hpp"
#include "http/framing.hpp"
#include "iolite/http/decoder.hpp"

namespace iolite::http {
namespace {

struct request_line {
  std::string_view method, target, version;
};

// What is between the first space and the last one is the target: with a space in it, it is none.
request_line parts_of(std::string_view line) noexcept {
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == line.npos || first == last) return {};
  return {line.substr(0, first), line.substr(first + 1, last - first - 1), line.substr(last + 1)};
}

// The authority of `http://host:port/path`; a null view: it is none.
std::string_view authority_of(std::string_view target) noexcept {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!same_name(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    return target.substr(0, target.find_first_of("/?"));
  }
  return {};
}

}  // namespace

bool request_decoder::check_first_line(std::string_view line) noexcept {
  const auto [method, target, version] = parts_of(line);
  if (!is_token(method)) return wrong("the request line is not a method, a target and a version");
  if (target.size() > limits_.target_bytes_max)
    return fail(std::errc::message_size, 414, "the target is too long");
  if (!is_visible(target) || target.find('#') != target.npos)
    return wrong("the target has a character that none may have");
  if (version == "HTTP/1.1" || version == "HTTP/1.0") return true;
  if (!is_some_version(version)) return wrong("the version is none");
  return fail(std::errc::not_supported, 505, "the version is neither HTTP/1.1 nor HTTP/1.0");
}

bool request_decoder::take_head(std::string_view head, field_list fields) noexcept {
  const auto line = parts_of(head.substr(0, head.find('\r')));
  request_ = {};
  request_.fields = fields;
  request_.method = line.method;
  request_.target = line.target;
  request_.minor_version = line.version.ends_with('1') ? 1 : 0;
  second_reading again;
  mistake found = read_framing(request_);
  if (!found.why) found = read_again(head, true, request_, again);
  if (!found.why && again.method != line.method) found = {"the method is ambiguous"};
  if (found.why) return refuse(found.status, found.why);
  if (!check_host() || !check_target() || !check_expectation()) return false;
  if (fields.count("Upgrade") > 1) return wrong("Upgrade twice");
  if (request_.minor_version > 0 && request_.content_length == 0 &&
      request_.body != framing::chunked && fields.lists("Connection", "upgrade"))
    request_.upgrade = fields.find("Upgrade").value_or("");
  begin_body(request_);
  return true;
}

bool request_decoder::check_host() noexcept {
  const std::size_t hosts = request_.fields.count("Host");
  if (hosts > 1) return wrong("Host twice");
  if (hosts == 0) return request_.minor_version == 0 || wrong("there is no Host");
  request_.host = request_.fields.find("Host").value_or("");
  return is_authority(request_.host) || wrong("Host is not a host");
}

bool request_decoder::check_target() noexcept {
  const std::string_view target = request_.target;
  if (request_.method == "CONNECT")
    return (is_authority(target) && target.find(':') != target.npos && is_digit(target.back())) ||
           wrong("the target of CONNECT is not a host and a port");
  if (target.front() == '/') return true;
  if (target == "*") return request_.method == "OPTIONS" || wrong("only OPTIONS may ask for *");
  const std::string_view authority = authority_of(target);
  if (!is_authority(authority)) return wrong("the target is neither a path nor an address of http");
  const bool differs = !request_.host.empty() && !same_name(request_.host, authority);
  request_.host = authority;
  return !differs || wrong("the target and Host name different hosts");
}

bool request_decoder::check_expectation() noexcept {
  const auto expected = request_.fields.find("Expect");
  if (request_.fields.count("Expect") > 1) return wrong("Expect twice");
  if (!expected || request_.minor_version == 0) return true;
  if (!same_name(*expected, "100-continue"))
    return fail(std::errc::not_supported, 417, "the expectation is not known");
  request_.expects_continue = request_.body == framing::chunked || request_.content_length > 0;
  return true;
}

}  // namespace iolite::http
