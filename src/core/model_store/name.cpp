#include "core/model_store/name.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <vector>

#include "core/base/error.h"
#include "core/base/paths.h"
#include "core/files/safe_path.h"
#include "core/hash/hasher.h"

namespace toolkit::model_store {

namespace {

namespace fs = std::filesystem;

constexpr size_t kFolderBytes = 200;  // room for ".<folder>.new" below the 255 of file systems
constexpr size_t kLocalBytes = 100;

bool is_plain(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || letter == '.' || letter == '_' || letter == '-';
}

std::string sha256_of(std::string_view text) {
  return hash::hash_bytes(hash::Algorithm::kSha256,
                          {reinterpret_cast<const uint8_t*>(text.data()), text.size()})
      .hex;
}

std::string percent(char letter) {
  return fmt::format("%{:02X}", static_cast<unsigned char>(letter));
}

int hex_value(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  return -1;
}

/// "%2F" as '/'; a '%' that begins nothing stays.
std::string without_percents(std::string_view text) {
  std::string plain;
  for (size_t at = 0; at < text.size(); ++at) {
    const int high = at + 2 < text.size() ? hex_value(text[at + 1]) : -1;
    const int low = high >= 0 ? hex_value(text[at + 2]) : -1;
    if (text[at] == '%' && low >= 0) {
      plain += static_cast<char>(high * 16 + low);
      at += 2;
    } else {
      plain += text[at];
    }
  }
  return plain;
}

/// A part of a folder's name. "--" separates parts, so neither that nor a '-' at the end may stand
/// in one.
std::string folder_part(std::string_view part) {
  std::string text;
  for (size_t at = 0; at < part.size(); ++at) {
    const bool dash = part[at] == '-' && (at + 1 == part.size() || part[at + 1] == '-');
    text += is_plain(part[at]) && !dash ? std::string(1, part[at]) : percent(part[at]);
  }
  return text;
}

std::string cut_to_fit(const std::string& folder) {
  if (folder.size() <= kFolderBytes) return folder;
  const std::string mark = "--" + sha256_of(folder).substr(0, 16) + "~";
  return folder.substr(0, kFolderBytes - mark.size()) + mark;
}

std::string hub_folder(const HubName& name) {
  const size_t slash = name.repository.find('/');
  std::string folder =
      "hf--" + name.repository.substr(0, slash) + "--" + name.repository.substr(slash + 1);
  if (name.revision != "main") folder += "@" + folder_part(name.revision);
  return folder;
}

std::string ollama_folder(const OllamaName& name) {
  const OllamaName usual;
  std::string folder = "ollama--";
  if (name.host != usual.host || name.name_space != usual.name_space)
    folder += folder_part(name.host) + "--" + folder_part(name.name_space) + "--";
  return folder + folder_part(name.model) + "--" + folder_part(name.tag);
}

std::string local_folder(const std::string& path) {
  std::string shown;
  for (const char letter : fs::path(path).filename().string())
    shown += is_plain(letter) ? letter : '_';
  if (shown.empty() || shown[0] == '.') shown = "_" + shown;
  return "local--" + shown.substr(0, kLocalBytes) + "--" + sha256_of(path).substr(0, 8);
}

std::vector<std::string> split_dashes(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t end = text.find("--");
    parts.emplace_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 2);
  }
}

/// What was probably meant by a name without a scheme.
std::string probable_spelling(std::string_view text) {
  const bool tag = text.find(':') != text.npos;
  const auto slashes = std::count(text.begin(), text.end(), '/');
  const std::string shown = files::escaped(text);
  if (tag || slashes == 0) return "ollama://" + shown;
  return slashes == 1 ? "hf://" + shown : "file:///" + shown;
}

}  // namespace

const char* source_name(Source source) {
  constexpr const char* kNames[] = {"huggingface", "ollama", "local"};
  return kNames[static_cast<int>(source)];
}

std::string ModelName::uri() const {
  if (source == Source::kOllama) return "ollama://" + identifier;
  if (source == Source::kHuggingFace) {
    const HubName name = hub_name(*this);
    // An organisation of that name would be read as the kind of repository.
    const bool like_kind =
        name.repository.starts_with("models/") || name.repository.starts_with("model/");
    const std::string repository = (like_kind ? "hf://models/" : "hf://") + name.repository;
    if (name.revision == "main") return repository;
    std::string revision;
    for (const char letter : name.revision)
      revision += letter == '/' ? "%2F" : std::string(1, letter);
    return repository + "@" + revision;
  }
  std::string path;
  for (const char letter : identifier) {
    const bool kept =
        letter == '/' || (is_plain(letter) || static_cast<unsigned char>(letter) > 127);
    path += kept ? std::string(1, letter) : percent(letter);
  }
  return "file://" + path;
}

std::string ModelName::folder_name() const {
  if (source == Source::kOllama) return cut_to_fit(ollama_folder(ollama_name(*this)));
  if (source == Source::kHuggingFace) return cut_to_fit(hub_folder(hub_name(*this)));
  return local_folder(identifier);
}

std::optional<ModelName> model_name_from_folder(std::string_view folder) try {
  std::optional<ModelName> name;
  const std::vector<std::string> parts = split_dashes(folder);
  if (parts[0] == "hf" && parts.size() == 3) {
    const size_t at = parts[2].find('@');
    HubName hub{.repository = parts[1] + "/" + parts[2].substr(0, at)};
    if (at != std::string::npos) hub.revision = without_percents(parts[2].substr(at + 1));
    name = to_model_name(hub);
  } else if (parts[0] == "ollama" && (parts.size() == 3 || parts.size() == 5)) {
    OllamaName ollama;
    if (parts.size() == 5) {
      ollama.host = without_percents(parts[1]);
      ollama.name_space = without_percents(parts[2]);
    }
    ollama.model = without_percents(parts[parts.size() - 2]);
    ollama.tag = without_percents(parts.back());
    name = to_model_name(ollama);
  }
  // Only a folder that we would name so ourselves.
  return name && name->folder_name() == folder ? name : std::nullopt;
} catch (const Error&) {
  return std::nullopt;
}

ModelName local_model_name(const std::string& absolute_path) {
  const bool control = std::any_of(absolute_path.begin(), absolute_path.end(), [](char letter) {
    return static_cast<unsigned char>(letter) < 32 || letter == 127;
  });
  if (control)
    fail(ErrorKind::kUserInput, "{}: a path with control characters cannot be a model's name",
         files::escaped(absolute_path));
  fs::path path = fs::path(absolute_path).lexically_normal();
  if (!path.is_absolute() || path == path.root_path())
    fail(ErrorKind::kUserInput, "{}: expected the absolute path of a model",
         files::escaped(absolute_path));
  if (!path.has_filename()) path = path.parent_path();  // a '/' at the end
  return {Source::kLocal, path.string()};
}

ModelName parse_model_name(std::string_view text) {
  if (text.starts_with("hf://") || text.starts_with("https://") || text.starts_with("http://")) {
    const HubName name = parse_hub_name(text);
    if (!name.path.empty())
      fail(ErrorKind::kUserInput, "{}: names one file; the model is {}", files::escaped(text),
           to_model_name(name).uri());
    return to_model_name(name);
  }
  if (text.starts_with("ollama://")) return to_model_name(parse_ollama_name(text));
  constexpr std::string_view kFile = "file://";
  if (text.starts_with(kFile)) {
    std::string_view path = text.substr(kFile.size());
    if (path.starts_with("localhost/")) path.remove_prefix(std::string_view("localhost").size());
    if (path.starts_with("~/")) return local_model_name(expanded_path(fs::path(path)).string());
    if (!path.starts_with("/"))
      fail(ErrorKind::kUserInput, "{}: expected three slashes before an absolute path: file:///{}",
           files::escaped(text), files::escaped(path));
    return local_model_name(without_percents(path));
  }
  if (text.starts_with("/")) return local_model_name(std::string(text));
  if (text.starts_with("~/")) return local_model_name(expanded_path(fs::path(text)).string());
  if (const size_t colon = text.find("://"); colon != text.npos)
    fail(ErrorKind::kUserInput, "{}: expected hf://, ollama:// or file://, found the scheme '{}'",
         files::escaped(text), files::escaped(text.substr(0, colon)));
  if (text.empty())
    fail(ErrorKind::kUserInput,
         "expected the name of a model: hf://org/model, ollama://name:tag or file:///path");
  fail(ErrorKind::kUserInput,
       "{}: expected hf://, ollama:// or file:// before a name. Did you mean '{}'?",
       files::escaped(text), probable_spelling(text));
}

ModelName model_name_from_identifier(std::string_view identifier) {
  if (identifier.find("://") != identifier.npos || identifier.starts_with("/") ||
      identifier.starts_with("~/"))
    return parse_model_name(identifier);
  if (identifier.find(':') != identifier.npos) return to_model_name(parse_ollama_name(identifier));
  const size_t at = identifier.find('@');
  const std::string_view repository = identifier.substr(0, at);
  if (std::count(repository.begin(), repository.end(), '/') == 1) {
    HubName name{.repository = std::string(repository)};
    if (at != identifier.npos) name.revision = identifier.substr(at + 1);
    return to_model_name(name);
  }
  return parse_model_name(identifier);  // says what was probably meant
}

}  // namespace toolkit::model_store
