#include "engine/embed/pooling.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/checkpoint/input_file.h"

namespace toolkit::engine {

namespace {

namespace fs = std::filesystem;

constexpr uint64_t kConfigLimit = 1 << 20;

Json read_config(const fs::path& path) {
  return parse_json(checkpoint::read_text(path, kConfigLimit), path.string());
}

Pooling::Kind kind_in(const fs::path& path) {
  const Json config = read_config(path);
  if (!config.is_object()) fail(ErrorKind::kUserInput, "{}: expected an object", path.string());
  constexpr std::pair<const char*, Pooling::Kind> kKinds[] = {
      {"pooling_mode_mean_tokens", Pooling::Kind::kMean},
      {"pooling_mode_cls_token", Pooling::Kind::kFirst},
      {"pooling_mode_lasttoken", Pooling::Kind::kLast},
      {"pooling_mode_max_tokens", Pooling::Kind::kMax}};
  std::vector<Pooling::Kind> chosen;
  for (const auto& [key, value] : config.items()) {
    if (!key.starts_with("pooling_mode_") || value != Json(true)) continue;
    const auto* known = std::find_if(std::begin(kKinds), std::end(kKinds),
                                     [&](const auto& kind) { return key == kind.first; });
    if (known == std::end(kKinds))
      fail(ErrorKind::kUnsupported,
           "{}: {} is not known; expected the mean, the maximum, the first or the last token",
           path.string(), key.substr(0, 80));
    chosen.push_back(known->second);
  }
  if (chosen.size() != 1)
    fail(ErrorKind::kUnsupported, "{}: expected one kind of pooling, found {}", path.string(),
         chosen.size());
  return chosen[0];
}

/// The last part of a Python class path.
std::string module_kind(const Json& module, const fs::path& path) {
  const bool whole = module.is_object() && module.contains("type") && module["type"].is_string() &&
                     module.contains("path") && module["path"].is_string();
  if (!whole)
    fail(ErrorKind::kUserInput, "{}: expected modules with \"type\" and \"path\", found {}",
         path.string(), module.dump().substr(0, 80));
  const auto type = module["type"].get<std::string>();
  return type.substr(type.rfind('.') + 1);
}

/// A folder inside the model's, never one elsewhere.
fs::path module_folder(const fs::path& folder, const Json& module) {
  const fs::path relative = module["path"].get<std::string>();
  for (const fs::path& part : relative)
    if (part == ".." || relative.is_absolute())
      fail(ErrorKind::kUserInput, "{}: the module path '{}' leads out of the model's folder",
           folder.string(), relative.string().substr(0, 80));
  return folder / relative;
}

}  // namespace

Pooling read_pooling(const fs::path& folder, const Pooling& fallback) {
  Pooling pooling = fallback;
  const fs::path modules = folder / "modules.json", limits = folder / "sentence_bert_config.json";
  if (fs::exists(limits)) {
    const Json config = read_config(limits);
    const auto found = config.is_object() ? config.find("max_seq_length") : config.end();
    if (found != config.end() && found->is_number_integer())
      pooling.max_tokens = static_cast<int>(std::clamp<int64_t>(found->get<int64_t>(), 0, 1 << 24));
  }
  if (!fs::exists(modules)) return pooling;
  const Json list = read_config(modules);
  if (!list.is_array()) fail(ErrorKind::kUserInput, "{}: expected a list", modules.string());
  pooling.normalize = false;
  for (const Json& module : list) {
    const std::string kind = module_kind(module, modules);
    if (kind == "Pooling")
      pooling.kind = kind_in(module_folder(folder, module) / "config.json");
    else if (kind == "Normalize")
      pooling.normalize = true;
    else if (kind != "Transformer")
      fail(ErrorKind::kUnsupported, "{}: a {} module is not known; expected Pooling and Normalize",
           modules.string(), kind.substr(0, 80));
  }
  return pooling;
}

std::vector<float> pooled(std::span<const float> tokens, int width, const Pooling& pooling) {
  const auto columns = static_cast<size_t>(width);
  const size_t count = tokens.size() / columns;
  std::vector<float> result(columns, 0.0f);
  const auto take = [&](size_t row) {
    std::copy_n(tokens.begin() + static_cast<std::ptrdiff_t>(row * columns), columns,
                result.begin());
  };
  if (pooling.kind == Pooling::Kind::kFirst || pooling.kind == Pooling::Kind::kMax) take(0);
  if (pooling.kind == Pooling::Kind::kLast) take(count - 1);
  for (size_t row = 0; row < count; ++row)
    for (size_t i = 0; i < columns; ++i) {
      const float value = tokens[row * columns + i];
      if (pooling.kind == Pooling::Kind::kMax) result[i] = std::max(result[i], value);
      if (pooling.kind == Pooling::Kind::kMean) result[i] += value;
    }
  if (pooling.kind == Pooling::Kind::kMean)
    for (float& value : result) value /= static_cast<float>(count);
  if (!pooling.normalize) return result;
  double squares = 0.0;
  for (const float value : result) squares += static_cast<double>(value) * value;
  const auto length = static_cast<float>(std::max(std::sqrt(squares), 1e-12));
  for (float& value : result) value /= length;
  return result;
}

}  // namespace toolkit::engine
