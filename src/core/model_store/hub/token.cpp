#include <algorithm>
#include <cstdlib>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/files/identity.h"
#include "core/model_store/hub/endpoint.h"

namespace toolkit::model_store::hub {

namespace {

constexpr size_t kLargestTokenBytes = 4096;

std::string environment_text(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// A token that may stand in a header; where it came from is named, never the token.
std::string checked_token(std::string text, const std::string& where) {
  const auto blank = [](unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && blank(static_cast<unsigned char>(text.back()))) text.pop_back();
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), blank));
  for (const char c : text)
    if (c <= ' ' || c > '~')
      fail(ErrorKind::kUserInput,
           "{}: expected a token of letters, digits and '_', found another character in it", where);
  return text;
}

}  // namespace

std::string read_token(const Environment& environment) {
  const std::string implicit = environment_text("HF_HUB_DISABLE_IMPLICIT_TOKEN");
  if (!implicit.empty() && implicit != "0") return "";
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})
    if (const std::string token = checked_token(environment_text(name), name); !token.empty())
      return token;
  const auto& path = environment.hub_token_file;
  const auto file = path.empty() ? std::nullopt : files::resolved_identity(path);
  if (!file || file->kind != files::FileKind::kFile) return "";
  if (file->mode & 077) {
    log_warning("{}: not used as a token, since other users may read or change it; chmod 600 it",
                shown_path(path));
    return "";
  }
  return checked_token(read_file(path, kLargestTokenBytes), shown_path(path));
}

}  // namespace toolkit::model_store::hub
