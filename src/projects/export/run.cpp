#include "projects/export/run.h"

#include <algorithm>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/paths.h"
#include "core/base/progress.h"
#include "core/checkpoint/adapter.h"
#include "core/checkpoint/ggml_types.h"
#include "core/checkpoint/model_files.h"
#include "core/checkpoint/weight_form.h"
#include "core/checkpoint/write/gguf_adapter.h"
#include "core/checkpoint/write/gguf_writer.h"
#include "core/checkpoint/write/hf_writer.h"
#include "models/resolve.h"
#include "projects/export/modelfile.h"

namespace toolkit::export_model {

namespace {

namespace fs = std::filesystem;
using checkpoint::ConvertedModel;
using checkpoint::TargetForm;
using Kind = TargetForm::Kind;

std::optional<mx::Dtype> dtype_of(const std::string& name) {
  if (name == "f32") return mx::float32;
  if (name == "f16") return mx::float16;
  if (name == "bf16") return mx::bfloat16;
  return std::nullopt;
}

TargetForm gguf_form(const std::string& type) {
  TargetForm form{.for_gguf = true};
  if (const auto dtype = dtype_of(type)) {
    form.kind = Kind::kDense;
    form.dtype = dtype;
  } else if (type != "auto") {
    form.kind = Kind::kBlocks;
    form.block_type = type == "q8_0"   ? checkpoint::kGgmlQ8_0
                      : type == "q4_0" ? checkpoint::kGgmlQ4_0
                                       : checkpoint::kGgmlQ4_1;
  }
  return form;
}

std::optional<checkpoint::Adapter> adapter_of(const std::string& folder) {
  if (folder.empty()) return std::nullopt;
  return checkpoint::load_adapter(expanded_path(folder));
}

std::string name_of(const std::string& model) {
  const fs::path path = model;
  return path.has_filename() ? path.stem().string() : path.parent_path().filename().string();
}

/// What lies in a folder, or the file itself.
void list_output(Result& result) {
  if (!fs::is_directory(result.output)) {
    result.size_bytes = fs::file_size(result.output);
    return;
  }
  for (const auto& entry : fs::directory_iterator(result.output)) {
    result.files.push_back(entry.path().filename().string());
    result.size_bytes += entry.file_size();
  }
  std::sort(result.files.begin(), result.files.end());
}

/// Progress in megabytes: the tensors of a large model are many more bytes than an int holds.
class WriteProgress {
 public:
  WriteProgress(const std::string& label, uint64_t size_bytes, bool quiet)
      : progress_(label, static_cast<int64_t>(size_bytes >> 20), quiet) {}
  std::function<void(uint64_t, uint64_t)> reporter() {
    return [this](uint64_t done, uint64_t) { progress_.update(static_cast<int64_t>(done >> 20)); };
  }
  void finish() { progress_.finish(); }

 private:
  Progress progress_;
};

void save_folder(const fs::path& output, const ConvertedModel& model, bool quiet) {
  WriteProgress progress("writing", model.size_bytes(), quiet);
  checkpoint::save_hf_folder(output, model, {.progress = progress.reporter()});
  progress.finish();
}

void save_file(const fs::path& output, const ConvertedModel& model, const std::string& name,
               bool quiet) {
  if (fs::exists(output))
    fail(ErrorKind::kUserInput, "{}: there is a file already; give another name", output.string());
  if (output.has_parent_path()) fs::create_directories(output.parent_path());
  WriteProgress progress("writing", model.size_bytes(), quiet);
  checkpoint::save_gguf(output, model, {.name = name, .progress = progress.reporter()});
  progress.finish();
}

bool has_packed_weights(const checkpoint::ModelFiles& model) {
  const auto modules = model.modules();
  return std::any_of(modules.begin(), modules.end(), [&](const std::string& module) {
    return checkpoint::form_of(model, module).packed();
  });
}

void export_ollama(const ExportConfig& config, Result& result, bool quiet) {
  if (fs::exists(result.output) && !fs::is_empty(result.output))
    fail(ErrorKind::kUserInput, "{}: something is there already; give a new or empty folder",
         result.output.string());
  auto files = checkpoint::open_model_files(models::resolve_model(config.model));
  const std::string chat = files->chat_template().value_or("");
  auto adapter = adapter_of(config.adapter);
  fs::create_directories(result.output);
  if (config.keep_adapter)
    checkpoint::save_gguf_adapter(result.output / "adapter.gguf", *adapter, *files);
  const bool merge = adapter && !config.keep_adapter;
  const ConvertedModel model(std::move(files), merge ? std::move(adapter) : std::nullopt,
                             gguf_form(config.type));
  save_file(result.output / "model.gguf", model, name_of(config.model), quiet);
  if (merge) result.merged = model.merge_loss();
  const std::string text = modelfile("model.gguf", config.keep_adapter ? "adapter.gguf" : "", chat);
  write_file_atomically(result.output / "Modelfile", text);
  if (text.find("TEMPLATE") == std::string::npos)
    result.notes.push_back(
        "the chat template is of no family known here: the Modelfile has no TEMPLATE, so Ollama "
        "looks for one itself");
}

void export_adapter(const ExportConfig& config, Result& result) {
  checkpoint::Adapter adapter = checkpoint::load_adapter(expanded_path(config.adapter));
  if (!config.model.empty()) adapter.base_model = config.model;
  if (fs::exists(result.output) &&
      !(fs::is_directory(result.output) && fs::is_empty(result.output)))
    fail(ErrorKind::kUserInput, "{}: something is there already; give a new or empty folder",
         result.output.string());
  const bool peft = config.format == "peft";
  checkpoint::save_adapter(
      result.output, adapter,
      peft ? checkpoint::AdapterLayout::kPeft : checkpoint::AdapterLayout::kMlx);
  if (!peft && !(adapter.rank_pattern.empty() && adapter.scale_pattern.empty()))
    result.notes.push_back(
        "mlx-lm's layout has one rank and one scale: smaller ranks were padded with zeros, other "
        "scales went into lora_b; what the adapter does is the same");
}

}  // namespace

Result fuse(const FuseConfig& config, bool quiet) {
  check(config);
  Result result{.output = expanded_path(config.output)};
  auto adapter = adapter_of(config.adapter);
  auto files = checkpoint::open_model_files(models::resolve_model(config.model));
  TargetForm form{.kind = Kind::kDense, .dtype = dtype_of(config.dtype)};
  if (config.quantize != "none") {
    form.kind = Kind::kAffine;
    form.bits = std::stoi(config.quantize);
    form.group_size = config.group_size;
  } else if (has_packed_weights(*files)) {
    result.notes.push_back(
        "the model's weights are quantized: the fused ones are not, so that nothing of the adapter "
        "is rounded away; --quantize 4|8 packs them again and says what that costs");
  }
  const ConvertedModel model(std::move(files), std::move(adapter), form);
  save_folder(result.output, model, quiet);
  result.merged = model.merge_loss();
  list_output(result);
  if (!config.data.empty()) result.losses = check_losses(config, result.output, quiet);
  return result;
}

Result export_model(const ExportConfig& config, bool quiet) {
  check(config);
  Result result{.output = expanded_path(config.output)};
  if (config.format == "peft" || config.format == "mlx") {
    export_adapter(config, result);
  } else if (config.format == "ollama") {
    export_ollama(config, result, quiet);
  } else if (config.format == "gguf-adapter") {
    if (fs::exists(result.output))
      fail(ErrorKind::kUserInput, "{}: there is a file already; give another name",
           result.output.string());
    const auto files = checkpoint::open_model_files(models::resolve_model(config.model));
    checkpoint::save_gguf_adapter(result.output, *adapter_of(config.adapter), *files);
  } else {
    auto adapter = adapter_of(config.adapter);
    const bool merge = adapter.has_value();
    TargetForm form = gguf_form(config.type);
    if (config.format == "hf") form = {.kind = Kind::kDense, .dtype = dtype_of(config.type)};
    if (config.format == "mlx-quantized")
      form = {.kind = Kind::kAffine, .bits = config.bits, .group_size = config.group_size};
    const ConvertedModel model(checkpoint::open_model_files(models::resolve_model(config.model)),
                               std::move(adapter), form);
    if (config.format == "gguf")
      save_file(result.output, model, name_of(config.model), quiet);
    else
      save_folder(result.output, model, quiet);
    if (merge) result.merged = model.merge_loss();
  }
  list_output(result);
  return result;
}

}  // namespace toolkit::export_model
