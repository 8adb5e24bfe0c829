#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace toolkit::serve {

/// A model that clients may name.
struct ServedModel {
  enum class Origin { kGiven, kSample, kStore, kAdapter, kFineTuned };
  std::string name;         // OpenAI's id: "sample://smollm2-135m", "my-adapter", "ft:..."
  std::string ollama_name;  // "smollm2:135m", "my-adapter:latest"
  std::string base;         // what engine::load_language_model takes
  std::filesystem::path adapter = {};  // put on the base; empty: the base itself
  Origin origin = Origin::kGiven;
  int64_t created = 0;  // seconds since 1970
};

/// "sample://smollm2-135m" -> "smollm2:135m"; "ollama://llama3.2:1b" -> "llama3.2:1b";
/// "hf://org/model" -> "hf.co/org/model:latest"; "/models/My.gguf" -> "my:latest"; "ft:a:b" ->
/// "ft-a-b:latest".
std::string ollama_name_of(const std::string& name);

/// "hf.co/org/model:Q4_K_M", as Ollama names what lies on Hugging Face's hub, taken apart.
struct HubReference {
  std::string repository;      // "org/model"
  std::string tag = "latest";  // "Q4_K_M"
};
/// Empty for names of another kind.
std::optional<HubReference> hub_reference(const std::string& name);

/// ASCII letters, as names are compared.
std::string lower_case(std::string text);

/// Which models there are: those given at the start, samples, the store of mlx-cache, adapters and
/// what was fine-tuned here. A path from a client is no name: only what is listed is opened. Safe
/// from several threads.
class ModelNames {
 public:
  void add(ServedModel model);  // replaces one of that name
  bool remove(const std::string& name);

  /// Everything that can be named now, given ones first, each once.
  std::vector<ServedModel> list() const;
  /// By either name; of an Ollama name letters' case and ":latest" do not matter. Throws
  /// ApiError(404).
  ServedModel find(const std::string& name) const;

  /// What the store of mlx-cache holds now; unset: samples and that store.
  std::function<std::vector<ServedModel>()> installed;

 private:
  mutable std::mutex mutex_;
  std::vector<ServedModel> added_;
};

/// Samples and the models of mlx-cache's store.
std::vector<ServedModel> installed_models();

}  // namespace toolkit::serve
