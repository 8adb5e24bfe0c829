#include "projects/tune/trial_space.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "core/base/error.h"
#include "core/base/fields.h"
#include "core/base/settings_file.h"
#include "core/checkpoint/model_files.h"
#include "models/decoder.h"
#include "models/resolve.h"

namespace toolkit::tune {

namespace {

using search::Dimension;
using Texts = std::map<std::string, std::vector<std::string>>;

/// Around finetune's defaults; learning rate and scale matter most.
std::string usual_space(const ModelLimits& limits) {
  std::vector<int> ranks = {4, 8, 16, 32, 64}, layers = {8, 16};
  std::erase_if(ranks, [&](int one) { return limits.narrowest > 0 && one > limits.narrowest; });
  std::erase_if(layers, [&](int one) { return limits.layers > 0 && one >= limits.layers; });
  if (layers.empty() && limits.layers > 1) layers = {limits.layers / 2};
  std::string yaml = "learning_rate: 5e-5..1e-3 log\n";
  if (ranks.size() > 1) yaml += fmt::format("rank: [{}]\n", fmt::join(ranks, ", "));
  yaml += "alpha: [8, 16, 32, 64, 128]\ntargets: [all, attention, mlp]\n";
  if (!layers.empty()) yaml += fmt::format("layers: [{}, -1]\n", fmt::join(layers, ", "));
  return yaml + "warmup: 0..0.2\ndropout: [0, 0.05, 0.1]\n";
}

/// A loss over other tokens cannot be compared, and the answer to a question changes nothing.
bool can_be_searched(const std::string& name) {
  if (name == "epochs") return true;
  return std::find(std::begin(kSetBySearch), std::end(kSetBySearch), name) ==
             std::end(kSetBySearch) &&
         name != "max-length" && name != "sample";
}

Dimension range_of(const Json& field, const std::string& text, size_t dots,
                   const std::string& where) {
  const std::string type = field["type"];
  if (type != "integer" && type != "number")
    fail(ErrorKind::kUserInput, "{}: not a number, so it takes a list of values", where);
  const std::string low = text.substr(0, dots);
  std::string high = text.substr(dots + 2);
  Dimension dimension{
      .name = field["name"],
      .kind = type == "integer" ? Dimension::Kind::kInteger : Dimension::Kind::kReal};
  if (high.ends_with(" log")) {
    dimension.logarithmic = true;
    high.resize(high.size() - 4);
  }
  trials::check_value(field, low, where);
  trials::check_value(field, high, where);
  dimension.low = std::strtod(low.c_str(), nullptr);
  dimension.high = std::strtod(high.c_str(), nullptr);
  search::Space({dimension});  // an empty range is refused here, with the others' faults
  return dimension;
}

Dimension dimension_of(const Json& field, const std::vector<std::string>& texts,
                       const std::string& where) {
  const size_t dots = texts.size() == 1 ? texts[0].find("..") : std::string::npos;
  if (dots != std::string::npos) return range_of(field, texts[0], dots, where);
  for (size_t i = 0; i < texts.size(); ++i) {
    trials::check_value(field, texts[i], where);
    if (std::find(texts.begin(), texts.begin() + static_cast<long>(i), texts[i]) !=
        texts.begin() + static_cast<long>(i))
      fail(ErrorKind::kUserInput, "{}: '{}' stands there twice", where, texts[i]);
  }
  return {.name = field["name"], .kind = Dimension::Kind::kChoice, .choices = texts};
}

Texts read_texts(const std::string& file, const Json& finetune_fields, const ModelLimits& limits) {
  Texts texts;
  Fields fields;
  for (const Json& field : finetune_fields) {
    const std::string name = field["name"];
    if (can_be_searched(name)) fields.push_back({.name = name, .target = &texts[name]});
  }
  if (!file.empty()) {
    read_yaml(file, fields, {});
    return texts;
  }
  for (const char* name :
       {"learning-rate", "rank", "alpha", "targets", "layers", "warmup", "dropout"}) {
    if (!texts.contains(name)) fields.push_back({.name = name, .target = &texts[name]});
  }
  read_yaml_text(usual_space(limits), "the usual space", "", fields);
  return texts;
}

bool named(const std::vector<std::string>& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(), [&](std::string one) {
    std::replace(one.begin(), one.end(), '_', '-');
    return one == name;
  });
}

}  // namespace

ModelLimits model_limits(const std::string& model) {
  const std::filesystem::path path = models::resolve_model(model);
  const models::DecoderConfig config = models::decoder_config_from_json(
      checkpoint::open_model_files(path)->config_json(), path.string());
  return {.layers = config.num_layers,
          .narrowest = std::min({config.hidden_size, config.intermediate_size,
                                 config.num_heads * config.head_dim,
                                 config.num_kv_heads * config.head_dim})};
}

search::Space read_space(const std::string& file, const std::vector<std::string>& only,
                         const Settings& fixed, const Json& finetune_fields,
                         const ModelLimits& limits) {
  const Texts texts = read_texts(file, finetune_fields, limits);
  const std::string source = file.empty() ? "the usual space" : file;
  std::vector<Dimension> dimensions;
  std::vector<std::string> faults;
  for (const Json& field : finetune_fields) {
    const std::string name = field["name"];
    const auto found = texts.find(name);
    if (found == texts.end() || found->second.empty()) continue;
    if (!only.empty() && !named(only, name)) continue;
    if (fixed.contains(name)) {
      if (!file.empty()) faults.push_back(source + ": " + name + " is fixed too");
      continue;
    }
    try {
      dimensions.push_back(dimension_of(field, found->second, source + ": " + name));
    } catch (const Error& error) {
      faults.emplace_back(error.what());
    }
  }
  for (const std::string& name : only) {
    const Json* field = trials::find_field(finetune_fields, name);
    const auto found = field ? texts.find((*field)["name"]) : texts.end();
    if (found == texts.end() || found->second.empty())
      faults.push_back("--only " + name + ": not a setting of the space");
  }
  if (!faults.empty()) fail(ErrorKind::kUserInput, "{}", fmt::join(faults, "\n"));
  if (dimensions.empty()) fail(ErrorKind::kUserInput, "{}: nothing to search", source);
  return search::Space(std::move(dimensions));
}

search::Point default_point(const search::Space& space, const Json& finetune_fields) {
  search::Point point(space.size());
  const search::Point middle = space.from_unit(std::vector<double>(space.size(), 0.5));
  for (size_t i = 0; i < space.size(); ++i) {
    const Json* field = trials::find_field(finetune_fields, space.dimensions()[i].name);
    const Json value = field ? field->value("default", Json()) : Json();
    const Json& one = value.is_array() && value.size() == 1 ? value[0] : value;
    // -1: finetune chooses, but the process of the search needs a number.
    const Dimension& dimension = space.dimensions()[i];
    if (one.is_number() && one.get<double>() == -1 && dimension.kind == Dimension::Kind::kReal &&
        dimension.low > -1)
      point[i] = middle[i];
    else if (!space.parse(i, one.is_string() ? one.get<std::string>() : one.dump(), point[i]))
      return {};
  }
  return point;
}

Settings settings_of(const search::Space& space, const search::Point& point) {
  Settings settings;
  for (size_t i = 0; i < space.size(); ++i)
    settings[space.dimensions()[i].name] = space.text(i, point[i]);
  return settings;
}

}  // namespace toolkit::tune
