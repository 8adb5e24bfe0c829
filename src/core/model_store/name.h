#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace toolkit::model_store {

/// Where a model comes from, as the registry's column `source` says it.
enum class Source { kHuggingFace, kOllama, kLocal };
const char* source_name(Source source);  // "huggingface", "ollama", "local"

/// A checked name of a model. `identifier` is unique over all sources: 'org/model' (with '@rev'
/// unless the revision is main), 'model:tag' ('namespace/model:tag', 'host/namespace/model:tag'
/// where they are not registry.ollama.ai/library), or an absolute path.
struct ModelName {
  Source source = Source::kHuggingFace;
  std::string identifier;
  std::string uri() const;          // "hf://org/model@rev"
  std::string folder_name() const;  // below models/: see layout.h; at most 200 bytes
  bool operator==(const ModelName&) const = default;
};

/// Parts of a Hugging Face name. Grammar hf://[models/]org/model[@rev][/path]; web addresses of the
/// hub count too; hf://gpt2 and hf://model/... are refused with the right spelling.
struct HubName {
  std::string repository, revision = "main", path;
};

/// host/namespace/model:tag with Ollama's rules: first character a letter, digit or '_', then also
/// '-',
/// '.' (not in the namespace), ':' only in the host; host at most 350, other parts 80; case
/// ignored.
struct OllamaName {
  std::string host = "registry.ollama.ai", name_space = "library", model, tag = "latest";
};

/// hf://, ollama://, file:// (and an absolute or ~/ path). Throws Error(kUserInput): what was found
/// and the spelling that was probably meant. The path of one file in a repository is refused too:
/// parse_hub_name takes that.
ModelName parse_model_name(std::string_view text);
/// What `remove` and `path` take as well: an identifier without scheme, as `status` prints it.
ModelName model_name_from_identifier(std::string_view identifier);
/// hf:// or a web address, with the path of a file where it names one.
HubName parse_hub_name(std::string_view text);
/// ollama://..., or the same without scheme as Ollama itself writes it.
OllamaName parse_ollama_name(std::string_view text);
/// The name whose folder_name() is `folder`; empty for local models, cut names and folders of
/// others.
std::optional<ModelName> model_name_from_folder(std::string_view folder);

HubName hub_name(const ModelName& name);
OllamaName ollama_name(const ModelName& name);
ModelName to_model_name(const HubName& name);
ModelName to_model_name(const OllamaName& name);
ModelName local_model_name(const std::string& absolute_path);

}  // namespace toolkit::model_store
