#include "core/checkpoint/hf_quantization.h"

#include "core/base/error.h"
#include "core/checkpoint/utf8.h"

namespace toolkit::checkpoint {

namespace {

int one_of(const Json& settings, const char* key, int missing, std::initializer_list<int> allowed,
           const std::string& source) {
  const auto found = settings.find(key);
  const Json value = found == settings.end() ? Json(missing) : *found;
  std::string list;
  for (const int good : allowed) {
    if (value.is_number_integer() && value == good) return good;
    list += (list.empty() ? "" : ", ") + std::to_string(good);
  }
  fail(ErrorKind::kUserInput, "{}: expected {} of the quantization to be one of {}, found {}",
       source, key, list, printable(value.dump()));
}

QuantizationSettings::Setting read_setting(const Json& settings,
                                           QuantizationSettings::Setting missing,
                                           const std::string& source) {
  const Json mode = settings.contains("mode") ? settings.at("mode") : Json("affine");
  if (mode != "affine")
    fail(ErrorKind::kUnsupported, "{}: quantization mode {} is not supported; known: \"affine\"",
         source, printable(mode.dump()));
  return {.bits = one_of(settings, "bits", missing.bits, {2, 3, 4, 5, 6, 8}, source),
          .group_size = one_of(settings, "group_size", missing.group_size, {32, 64, 128}, source)};
}

std::string shape_text(const mx::array& array) {
  std::string text;
  for (const auto size : array.shape()) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "(" + text + ")";
}

bool is_float(const mx::array& array) {
  return mx::issubdtype(array.dtype(), mx::floating);
}

}  // namespace

QuantizationSettings::QuantizationSettings(const Json& config, const std::string& source)
    : source_(source) {
  for (const char* key : {"quantization", "quantization_config"}) {
    if (present_ || !config.contains(key) || config.at(key).is_null()) continue;
    const Json& settings = config.at(key);
    if (!settings.is_object())
      fail(ErrorKind::kUserInput, "{}: expected \"{}\" to be an object", source, key);
    if (settings.contains("quant_method"))
      fail(ErrorKind::kUnsupported,
           "{}: the weights are quantized by {}, which is not supported; get the model in BF16, in "
           "MLX's "
           "quantized form or as GGUF",
           source, printable(settings.at("quant_method").dump()));
    present_ = true;
    common_ = read_setting(settings, {.bits = 4, .group_size = 64}, source);
    for (const auto& [module, own] : settings.items())
      if (own.is_object()) single_.emplace(module, read_setting(own, common_, source));
  }
}

void QuantizationSettings::apply(const std::string& module, tensor::Weight& weight) const {
  if (!present_)
    fail(ErrorKind::kUserInput,
         "{}: '{}' has scales, but config.json has no \"quantization\" with bits and group_size",
         source_, printable(module));
  const auto own = single_.find(module);
  const Setting setting = own == single_.end() ? common_ : own->second;
  weight.bits = setting.bits;
  weight.group_size = setting.group_size;
  const mx::array& scales = *weight.scales;
  if (!weight.biases)
    fail(ErrorKind::kUnsupported, "{}: '{}' has scales but no biases: not MLX's affine form",
         source_, printable(module));
  const bool kinds =
      weight.data.dtype() == mx::uint32 && is_float(scales) && is_float(*weight.biases);
  const bool shapes = weight.data.ndim() == 2 && scales.ndim() == 2 &&
                      scales.shape() == weight.biases->shape() &&
                      weight.data.shape(0) == scales.shape(0) &&
                      int64_t{weight.data.shape(1)} * 32 ==
                          int64_t{scales.shape(1)} * setting.group_size * setting.bits;
  if (!kinds || !shapes)
    fail(ErrorKind::kUserInput,
         "{}: '{}' does not fit {} bits in groups of {}: packed {}, scales {}, biases {}; U32 "
         "(out, in * bits / "
         "32) and two of (out, in / group) were expected",
         source_, printable(module), setting.bits, setting.group_size, shape_text(weight.data),
         shape_text(scales), shape_text(*weight.biases));
}

}  // namespace toolkit::checkpoint
