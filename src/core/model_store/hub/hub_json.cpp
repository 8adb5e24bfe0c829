#include <algorithm>
#include <cctype>
#include <set>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/files/safe_path.h"
#include "core/model_store/hub/endpoint.h"

namespace toolkit::model_store::hub {

namespace {

constexpr uint64_t kLargestFileBytes = uint64_t{1} << 50;  // a petabyte: beyond it a size is a lie
constexpr int kJsonDepth = 32;

const Json* member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_of(const Json& object, const char* key, const std::string& where) {
  const Json* value = member(object, key);
  if (!value || !value->is_string()) {
    fail(ErrorKind::kUserInput, "{}: expected a text '{}', found {}", where, key,
         value ? value->type_name() : "none");
  }
  return value->get<std::string>();
}

uint64_t size_of(const Json& object, const std::string& where) {
  const Json* value = member(object, "size");
  if (!value || !value->is_number_unsigned() || value->get<uint64_t>() > kLargestFileBytes) {
    fail(ErrorKind::kUserInput, "{}: expected a size in bytes, found {}", where,
         value ? files::escaped(value->dump(-1, ' ', false, Json::error_handler_t::replace))
               : "none");
  }
  return value->get<uint64_t>();
}

hash::Digest digest_of(const Json& object, hash::Algorithm algorithm, const std::string& where) {
  const std::string text = text_of(object, "oid", where);
  auto digest = hash::parse_digest(text);
  if (!digest || digest->algorithm != algorithm) {
    fail(ErrorKind::kUserInput, "{}: expected {} hexadecimal digits as 'oid', found '{}'", where,
         algorithm == hash::Algorithm::kSha256 ? 64 : 40, files::escaped(text));
  }
  return *digest;
}

HubFile file_of(const Json& entry, const std::string& source) {
  HubFile file;
  file.path = text_of(entry, "path", source);
  const std::string where = source + ": '" + files::escaped(file.path) + "'";
  file.size_bytes = size_of(entry, where);
  if (const Json* lfs = member(entry, "lfs")) {
    if (!lfs->is_object())
      fail(ErrorKind::kUserInput, "{}: expected an object 'lfs', found {}", where,
           lfs->type_name());
    file.digest = digest_of(*lfs, hash::Algorithm::kSha256, where);
    if (const uint64_t size = size_of(*lfs, where); size != file.size_bytes)
      fail(ErrorKind::kUserInput, "{}: two sizes, {} and {} bytes: the list cannot be trusted",
           where, file.size_bytes, size);
  } else {
    file.digest = digest_of(entry, hash::Algorithm::kGitBlob, where);
  }
  if (const Json* xet = member(entry, "xetHash"); xet && xet->is_string()) {
    const auto hash = hash::parse_digest(xet->get<std::string>());
    if (hash && hash->algorithm == hash::Algorithm::kSha256) file.xet_hash = hash->hex;
  }
  return file;
}

std::string trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return std::string(text);
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// The parameters of one link: `; rel="next"; title=x`.
bool is_next(std::string_view parameters) {
  for (size_t at = 0; at < parameters.size();) {
    size_t end = parameters.find(';', at);
    if (end == std::string_view::npos) end = parameters.size();
    const std::string parameter = lower_case(trimmed(parameters.substr(at, end - at)));
    if (parameter == "rel=next" || parameter == "rel=\"next\"") return true;
    at = end + 1;
  }
  return false;
}

}  // namespace

HubRepository parse_revision(const std::string& json, const std::string& source) {
  const Json answer = parse_json(json, source, kJsonDepth);
  if (!answer.is_object())
    fail(ErrorKind::kUserInput, "{}: expected an object, found {}", source, answer.type_name());
  HubRepository repository;
  repository.repository = text_of(answer, member(answer, "id") ? "id" : "modelId", source);
  const std::string sha = text_of(answer, "sha", source);
  const auto commit = hash::parse_digest(sha);
  if (!commit || commit->algorithm != hash::Algorithm::kGitBlob || sha.size() != 40)
    fail(ErrorKind::kUserInput, "{}: expected a commit of 40 hexadecimal digits, found '{}'",
         source, files::escaped(sha));
  repository.commit = commit->hex;
  return repository;
}

std::vector<HubFile> parse_tree_page(const std::string& json, const std::string& source) {
  const Json answer = parse_json(json, source, kJsonDepth);
  if (!answer.is_array())
    fail(ErrorKind::kUserInput, "{}: expected a list of files, found {}", source,
         answer.type_name());
  std::vector<HubFile> files;
  std::set<std::string> seen;
  for (const Json& entry : answer) {
    if (!entry.is_object())
      fail(ErrorKind::kUserInput, "{}: expected an object for each file, found {}", source,
           entry.type_name());
    if (text_of(entry, "type", source) != "file") continue;  // folders; submodules hold no bytes
    files.push_back(file_of(entry, source));
    if (!seen.insert(files.back().path).second)
      fail(ErrorKind::kUserInput, "{}: '{}' is listed twice", source,
           files::escaped(files.back().path));
  }
  return files;
}

std::optional<std::string> next_page(const std::string& link_header) {
  // RFC 8288: `<url>; rel="next", <url>; rel="last"`; a URL may hold ',' and ';'.
  for (size_t at = 0; (at = link_header.find('<', at)) != std::string::npos;) {
    const size_t close = link_header.find('>', at);
    if (close == std::string::npos) break;
    size_t end = link_header.find('<', close);
    if (end == std::string::npos) end = link_header.size();
    std::string_view parameters(link_header);
    parameters = parameters.substr(close + 1, end - close - 1);
    while (!parameters.empty() && (parameters.back() == ' ' || parameters.back() == ','))
      parameters.remove_suffix(1);
    if (is_next(parameters)) return link_header.substr(at + 1, close - at - 1);
    at = end;
  }
  return std::nullopt;
}

}  // namespace toolkit::model_store::hub
