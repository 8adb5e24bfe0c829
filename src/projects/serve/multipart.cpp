#include "projects/serve/multipart.h"

#include "core/http/server/request.h"
#include "projects/serve/api_error.h"

namespace toolkit::serve {

namespace {

constexpr size_t kMostParts = 16, kMostHeadBytes = 4096;

[[noreturn]] void malformed(const char* what) {
  throw ApiError(400, std::string("the multipart body is malformed: ") + what);
}

/// The value of `name="..."` or `name=...` among the parameters of a header.
std::string parameter(std::string_view header, std::string_view name) {
  size_t at = 0;
  while ((at = header.find(';', at)) != std::string_view::npos) {
    ++at;
    while (at < header.size() && header[at] == ' ') ++at;
    if (header.size() <= at + name.size() || header[at + name.size()] != '=' ||
        !http::server::same_word(header.substr(at, name.size()), name))
      continue;
    at += name.size() + 1;
    if (at < header.size() && header[at] == '"') {
      const size_t end = header.find('"', at + 1);
      if (end == std::string_view::npos) malformed("a quote is not closed");
      return std::string(header.substr(at + 1, end - at - 1));
    }
    return std::string(header.substr(at, header.find(';', at) - at));
  }
  return "";
}

FormPart read_part(std::string_view part) {
  const size_t head_end = part.find("\r\n\r\n");
  if (head_end == std::string_view::npos || head_end > kMostHeadBytes)
    malformed("a part has no headers");
  FormPart made{.content = part.substr(head_end + 4)};
  std::string_view head = part.substr(0, head_end);
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(head.size(), line.size() + 2));
    constexpr std::string_view kDisposition = "content-disposition:";
    if (line.size() < kDisposition.size() ||
        !http::server::same_word(line.substr(0, kDisposition.size()), kDisposition))
      continue;
    made.name = parameter(line, "name");
    made.file_name = parameter(line, "filename");
  }
  if (made.name.empty()) malformed("a part has no name");
  return made;
}

}  // namespace

std::vector<FormPart> read_form(std::string_view content_type, std::string_view body) {
  if (!http::server::same_word(content_type.substr(0, content_type.find(';')),
                               "multipart/form-data"))
    throw ApiError(415, "expected the Content-Type multipart/form-data");
  const std::string boundary = parameter(content_type, "boundary");
  if (boundary.empty() || boundary.size() > 70)
    malformed("it needs a boundary of 1 to 70 characters");
  const std::string first = "--" + boundary, next = "\r\n--" + boundary;
  if (!body.starts_with(first)) malformed("it does not begin with its boundary");
  body.remove_prefix(first.size());
  std::vector<FormPart> parts;
  while (body.starts_with("\r\n")) {
    body.remove_prefix(2);
    const size_t end = body.find(next);
    if (end == std::string_view::npos) malformed("its last boundary is missing");
    if (parts.size() == kMostParts) malformed("it has more than 16 parts");
    parts.push_back(read_part(body.substr(0, end)));
    body.remove_prefix(end + next.size());
  }
  if (!body.starts_with("--")) malformed("it does not end with its boundary");
  return parts;
}

}  // namespace toolkit::serve
