#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace toolkit::serve {

/// One part of a multipart/form-data body (RFC 7578). Views of the body.
struct FormPart {
  std::string name, file_name;  // as sent: never a path
  std::string_view content;
};

/// At most 16 parts. Throws ApiError(415) for another content type, ApiError(400) for a body that
/// is not what its boundary says.
std::vector<FormPart> read_form(std::string_view content_type, std::string_view body);

}  // namespace toolkit::serve
