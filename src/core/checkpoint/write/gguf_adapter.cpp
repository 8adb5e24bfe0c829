#include "core/checkpoint/write/gguf_adapter.h"

#include "core/base/error.h"
#include "core/checkpoint/ggml_types.h"
#include "core/checkpoint/gguf_names.h"
#include "core/checkpoint/write/adapter_merge.h"
#include "core/checkpoint/write/gguf_file.h"
#include "core/checkpoint/write/gguf_tensors.h"
#include "core/checkpoint/write/gguf_writer.h"
#include "mlx/ops.h"

namespace toolkit::checkpoint {

namespace {

GgufPlan plan_of(const std::string& name, const mx::array& values) {
  return {name, kGgmlF32, {values.shape(0), values.shape(1)}, [values] {
            return gguf_bytes({.data = values}, kGgmlF32);
          }};
}

}  // namespace

void save_gguf_adapter(const std::filesystem::path& path, const Adapter& adapter,
                       const ModelFiles& model) {
  if (adapter.method != AdapterMethod::kLora)
    fail(ErrorKind::kUserInput,
         "{}: GGUF has no form for a {} adapter; `mlx-toolkit export --format gguf` with --adapter "
         "writes the model with the adapter in it",
         path.string(), adapter_method_name(adapter.method));
  const AdapterMerge fits(adapter, model);  // throws if it does not
  const std::string source = model.path().string();
  const Json config = parse_json(model.config_json(), source);
  const GgufArchitecture& architecture =
      gguf_architecture_of(config.value("model_type", ""), source);
  const float alpha = adapter.scale * static_cast<float>(adapter.rank);
  if (alpha == 0.0f)  // llama.cpp takes 0 for "no alpha given"
    fail(ErrorKind::kUserInput, "{}: the adapter's scale is 0, so it does nothing", path.string());
  std::vector<GgufPlan> tensors;
  for (const auto& [name, a] : adapter.tensors) {
    if (!name.ends_with(".lora_a")) continue;
    const std::string module = name.substr(0, name.size() - 7);
    const auto stem = gguf_stem_of(module, architecture);
    if (!stem)
      fail(ErrorKind::kUnsupported, "{}: GGUF's {} has no name for the module '{}'", path.string(),
           architecture.name, module);
    const float rank = static_cast<float>(a.shape(1));
    mx::array b = mx::transpose(mx::astype(adapter.tensors.at(module + ".lora_b"), mx::float32));
    b = mx::multiply(b, mx::array(adapter.scale_of(module) * rank / alpha));
    const auto order = gguf_row_order(module, b.shape(0), config, architecture);
    if (!order.empty())
      b = mx::take(b, mx::array(order.data(), {static_cast<int>(order.size())}, mx::int32), 0);
    tensors.push_back(plan_of(*stem + ".weight.lora_a", mx::transpose(a)));
    tensors.push_back(plan_of(*stem + ".weight.lora_b", b));
  }
  GgufMetadata metadata;
  metadata.text("general.architecture", architecture.name);
  metadata.text("general.type", "adapter");
  metadata.text("adapter.type", "lora");
  metadata.f32("adapter.lora.alpha", alpha);
  save_gguf_file(path, metadata, tensors);
}

}  // namespace toolkit::checkpoint
