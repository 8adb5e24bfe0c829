#include <algorithm>
#include <vector>

#include "core/base/error.h"
#include "core/files/safe_path.h"
#include "core/model_store/name.h"

namespace toolkit::model_store {

namespace {

constexpr size_t kHostLength = 350, kPartLength = 80;

enum class Part { kHost, kNamespace, kModel, kTag };

const char* part_name(Part part) {
  constexpr const char* kNames[] = {"host", "namespace", "model", "tag"};
  return kNames[static_cast<int>(part)];
}

bool is_word(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || letter == '_';
}

/// Ollama's isValidPart (types/model/name.go).
void check_part(std::string_view text, Part part, std::string_view value) {
  const size_t longest = part == Part::kHost ? kHostLength : kPartLength;
  const bool letters = std::all_of(value.begin(), value.end(), [part](char letter) {
    return is_word(letter) || letter == '-' || (letter == '.' && part != Part::kNamespace) ||
           (letter == ':' && part == Part::kHost);
  });
  if (value.empty() || value.size() > longest || !letters || !is_word(value[0]))
    fail(ErrorKind::kUserInput,
         "{}: '{}' is no {} of an Ollama name: expected 1 to {} letters, digits, '_', '-'{}{}, "
         "the first a letter or digit; as in ollama://llama3.2:1b",
         files::escaped(text), files::escaped(value), part_name(part), longest,
         part == Part::kNamespace ? "" : ", '.'", part == Part::kHost ? ", ':'" : "");
}

OllamaName checked(std::string_view text, OllamaName name) {
  check_part(text, Part::kHost, name.host);
  check_part(text, Part::kNamespace, name.name_space);
  check_part(text, Part::kModel, name.model);
  check_part(text, Part::kTag, name.tag);
  return name;
}

/// [[host/]namespace/]model[:tag]
OllamaName parse_parts(std::string_view text, std::string_view rest) {
  OllamaName name;
  const size_t slash = rest.rfind('/');
  const std::string_view last = slash == rest.npos ? rest : rest.substr(slash + 1);
  const size_t colon = last.find(':');
  name.model = last.substr(0, colon);
  if (colon != last.npos) name.tag = last.substr(colon + 1);
  if (slash != rest.npos) {
    const std::string_view before = rest.substr(0, slash);
    const size_t first = before.find('/');
    if (first == before.npos) {
      name.name_space = before;
    } else {
      name.host = before.substr(0, first);
      name.name_space = before.substr(first + 1);
    }
  }
  return checked(text, name);
}

}  // namespace

OllamaName ollama_name(const ModelName& name) {
  if (name.source != Source::kOllama)
    fail(ErrorKind::kInternal, "{} is no Ollama name", name.identifier);
  return parse_parts(name.identifier, name.identifier);
}

ModelName to_model_name(const OllamaName& given) {
  const OllamaName name = checked(given.model, given);
  const OllamaName usual;
  std::string identifier = name.model + ":" + name.tag;
  if (name.host != usual.host)
    identifier = name.host + "/" + name.name_space + "/" + identifier;
  else if (name.name_space != usual.name_space)
    identifier = name.name_space + "/" + identifier;
  return {Source::kOllama, identifier};
}

OllamaName parse_ollama_name(std::string_view text) {
  constexpr std::string_view kScheme = "ollama://";
  std::string_view rest = text;
  if (rest.starts_with(kScheme)) rest.remove_prefix(kScheme.size());
  return parse_parts(text, rest);
}

}  // namespace toolkit::model_store
