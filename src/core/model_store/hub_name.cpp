#include <algorithm>
#include <array>
#include <vector>

#include "core/base/error.h"
#include "core/files/safe_path.h"
#include "core/model_store/name.h"

namespace toolkit::model_store {

namespace {

constexpr size_t kRepositoryPart = 96;
constexpr size_t kRevisionLength = 200;

bool is_word(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || letter == '_';
}

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  fail(ErrorKind::kUserInput, "{}: {}", files::escaped(text), why);
}

/// One half of a repository's name, by the hub's rules (huggingface_hub: validate_repo_id).
void check_part(std::string_view text, std::string_view part) {
  const bool letters = std::all_of(part.begin(), part.end(), [](char letter) {
    return is_word(letter) || letter == '.' || letter == '-';
  });
  if (part.empty() || part.size() > kRepositoryPart || !letters || !is_word(part.front()) ||
      !is_word(part.back()) || part.find("--") != part.npos || part.find("..") != part.npos ||
      part.ends_with(".git"))
    refuse(text,
           fmt::format("'{}' is no name on the hub: expected 1 to 96 letters, digits, '-', '_' or "
                       "'.', neither '--' nor '..', a letter or digit at both ends",
                       files::escaped(part)));
}

void check_revision(std::string_view text, std::string_view revision) {
  const bool letters = std::all_of(revision.begin(), revision.end(), [](char letter) {
    return is_word(letter) || std::string_view(".-/+=@").find(letter) != std::string_view::npos;
  });
  if (revision.empty() || revision.size() > kRevisionLength || !letters ||
      revision.front() == '/' || revision.back() == '/' || revision.front() == '-' ||
      revision.find("..") != revision.npos || revision.find("//") != revision.npos ||
      revision.find("@{") != revision.npos)
    refuse(text, fmt::format("'{}' is no branch, tag or commit", files::escaped(revision)));
}

/// "%2F" of a revision in a name.
std::string without_escapes(std::string_view text) {
  std::string plain;
  for (size_t at = 0; at < text.size(); ++at) {
    const std::string_view three = text.substr(at, 3);
    if (three == "%2F" || three == "%2f") {
      plain += '/';
      at += 2;
    } else {
      plain += text[at];
    }
  }
  return plain;
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0;;) {
    const size_t end = text.find(at, begin);
    parts.push_back(text.substr(begin, end == text.npos ? end : end - begin));
    if (end == text.npos) return parts;
    begin = end + 1;
  }
}

std::string joined(const std::vector<std::string_view>& parts, size_t from) {
  std::string text;
  for (size_t at = from; at < parts.size(); ++at)
    text += (at > from ? "/" : "") + std::string(parts[at]);
  return text;
}

/// The first words that are no organisation but a kind of repository.
void refuse_kind(std::string_view text, const std::vector<std::string_view>& parts) {
  if (parts[0] == "model")
    refuse(text, fmt::format("expected the plural, hf://models/{}, or hf://{}", joined(parts, 1),
                             joined(parts, 1)));
  for (const std::string_view kind : {"dataset", "datasets", "space", "spaces"})
    if (parts[0] == kind && parts.size() > 2)
      refuse(text, fmt::format("{} are not models; expected hf://org/model", parts[0]));
}

/// "org/model[@rev][/path]" without scheme.
HubName parse_repository(std::string_view text, std::string_view rest) {
  std::vector<std::string_view> parts = split(rest, '/');
  refuse_kind(text, parts);
  if (parts[0] == "models") parts.erase(parts.begin());
  if (parts.size() < 2 || parts[1].empty()) {
    const std::string name = parts.empty() ? "" : files::escaped(parts[0]);
    refuse(text, fmt::format("expected hf://org/model, found no organisation before '{}'; look it "
                             "up on the hub (hf://gpt2 is hf://openai-community/gpt2)",
                             name));
  }
  HubName name;
  std::string_view model = parts[1];
  size_t next = 2;
  if (const size_t at = model.find('@'); at != model.npos) {
    std::string revision = without_escapes(model.substr(at + 1));
    model = model.substr(0, at);
    // refs/pr/3 and refs/convert/x are the two kinds of revision that may stand unescaped.
    if (revision == "refs" && parts.size() >= 4 && (parts[2] == "pr" || parts[2] == "convert")) {
      revision = fmt::format("refs/{}/{}", parts[2], parts[3]);
      next = 4;
    }
    name.revision = revision;
  }
  check_part(text, parts[0]);
  check_part(text, model);
  check_revision(text, name.revision);
  name.repository = std::string(parts[0]) + "/" + std::string(model);
  name.path = joined(parts, next);
  if (name.path.ends_with('/')) name.path.pop_back();
  if (!name.path.empty()) files::check_relative_path(name.path, std::string(text));
  return name;
}

/// "org/model/tree/main/folder" as a browser shows it.
HubName parse_web_address(std::string_view text, std::string_view rest) {
  rest = rest.substr(0, rest.find_first_of("?#"));
  while (rest.ends_with('/')) rest.remove_suffix(1);
  std::vector<std::string_view> parts = split(rest, '/');
  constexpr std::array kViews{"tree", "blob", "resolve", "raw", "commit"};
  const bool view =
      parts.size() >= 4 && std::find(kViews.begin(), kViews.end(), parts[2]) != kViews.end();
  if (!view) return parse_repository(text, rest);
  HubName name = parse_repository(text, joined({parts[0], parts[1]}, 0));
  name.revision = without_escapes(parts[3]);
  check_revision(text, name.revision);
  name.path = joined(parts, 4);
  if (!name.path.empty()) files::check_relative_path(name.path, std::string(text));
  return name;
}

}  // namespace

HubName parse_hub_name(std::string_view text) {
  for (const std::string_view scheme : {"https://", "http://"})
    for (const std::string_view host : {"huggingface.co/", "www.huggingface.co/", "hf.co/"})
      if (text.starts_with(scheme) && text.substr(scheme.size()).starts_with(host))
        return parse_web_address(text, text.substr(scheme.size() + host.size()));
  constexpr std::string_view kScheme = "hf://";
  if (!text.starts_with(kScheme)) refuse(text, "expected hf://org/model");
  return parse_repository(text, text.substr(kScheme.size()));
}

HubName hub_name(const ModelName& name) {
  if (name.source != Source::kHuggingFace)
    fail(ErrorKind::kInternal, "{} is no Hugging Face name", name.identifier);
  HubName parts;
  const size_t at = name.identifier.find('@');
  parts.repository = name.identifier.substr(0, at);
  if (at != std::string::npos) parts.revision = name.identifier.substr(at + 1);
  return parts;
}

ModelName to_model_name(const HubName& name) {
  const size_t slash = name.repository.find('/');
  check_part(name.repository, std::string_view(name.repository).substr(0, slash));
  if (slash == std::string::npos) refuse(name.repository, "expected org/model");
  check_part(name.repository, std::string_view(name.repository).substr(slash + 1));
  check_revision(name.repository, name.revision);
  return {Source::kHuggingFace,
          name.repository + (name.revision == "main" ? "" : "@" + name.revision)};
}

}  // namespace toolkit::model_store
