#include "core/checkpoint/weight_form.h"

namespace toolkit::checkpoint {

int64_t WeightForm::elements() const {
  int64_t count = 1;
  for (const auto size : shape) count *= size;
  return count;
}

int64_t WeightForm::bytes() const {
  const auto value = static_cast<int64_t>(dtype.size());
  if (!packed()) return elements() * value;
  return elements() * bits / 8 + elements() / group_size * 2 * value;
}

WeightForm form_of(const tensor::Weight& weight) {
  if (!weight.quantized()) return {.shape = weight.data.shape(), .dtype = weight.data.dtype()};
  return {.shape = {weight.rows(), weight.columns()},
          .dtype = weight.scales->dtype(),
          .bits = weight.bits,
          .group_size = weight.group_size};
}

WeightForm form_of(const ModelFiles& model, const std::string& module) {
  if (const auto* forms = dynamic_cast<const KnownForms*>(&model))
    if (auto known = forms->known_form(module)) return *known;
  return form_of(model.weight(module));
}

std::optional<text::GgufVocabulary> gguf_vocabulary_of(const ModelFiles& model) {
  const auto* forms = dynamic_cast<const KnownForms*>(&model);
  return forms ? forms->gguf_vocabulary() : std::nullopt;
}

}  // namespace toolkit::checkpoint
