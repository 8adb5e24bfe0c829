#include "engine/module_pattern.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/base/error.h"

namespace toolkit::engine {

namespace {

constexpr std::string_view kLayers = "layers.";

// The glob as a whole: * stands for any letters, ? for one.
bool glob_matches(std::string_view glob, std::string_view name) {
  size_t at = 0, in = 0, star = std::string_view::npos, resumed = 0;
  while (in < name.size()) {
    if (at < glob.size() && (glob[at] == '?' || glob[at] == name[in]) && glob[at] != '*') {
      ++at, ++in;
    } else if (at < glob.size() && glob[at] == '*') {
      star = at++;
      resumed = in;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in = ++resumed;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', at) == std::string_view::npos;
}

std::optional<int> whole_number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

}  // namespace

std::vector<LayerModule> layer_modules(models::Decoder& model) {
  std::vector<LayerModule> modules;
  for (const auto& [path, linear] : model.linears()) {
    const size_t begin = path.find(kLayers);
    if (begin == std::string::npos) continue;
    const size_t number = begin + kLayers.size(), dot = path.find('.', number);
    if (dot == std::string::npos) continue;
    const auto layer = whole_number(std::string_view(path).substr(number, dot - number));
    if (layer) modules.push_back({path, *layer, path.substr(dot + 1), linear});
  }
  return modules;
}

ModulePattern::ModulePattern(const std::string& text) : text_(trimmed(text)), name_(text_) {
  if (name_.starts_with("model.")) name_ = name_.substr(6);
  if (name_.starts_with(kLayers)) {
    const size_t dot = name_.find('.', kLayers.size());
    const std::string layers = name_.substr(kLayers.size(), dot - kLayers.size());
    const size_t dash = layers.find('-');
    const auto first = whole_number(layers.substr(0, dash));
    const auto last = dash == std::string::npos ? first : whole_number(layers.substr(dash + 1));
    if (layers != "*") {
      if (!first || !last || *last < *first)
        fail(ErrorKind::kUserInput,
             "'{}': expected layers as one number or a range, such as layers.3.mlp or "
             "layers.0-5.mlp, found '{}'",
             text, layers);
      first_ = *first;
      last_ = *last;
    }
    name_ = dot == std::string::npos ? "*" : name_.substr(dot + 1);
  }
  if (name_ == "all") name_ = "*";
  if (name_ == "attention") name_ = "self_attn";
  if (name_.empty())
    fail(ErrorKind::kUserInput,
         "'{}': expected the name of a layer, such as q_proj, self_attn.* or layers.0-5.mlp", text);
}

bool ModulePattern::matches(const LayerModule& module) const {
  if (module.layer < first_ || module.layer > last_) return false;
  return glob_matches(name_, module.inside) || glob_matches("*." + name_, module.inside) ||
         glob_matches(name_ + ".*", module.inside);
}

std::vector<ModulePattern> module_patterns(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

void check_patterns(const std::vector<ModulePattern>& patterns,
                    const std::vector<LayerModule>& modules) {
  for (const ModulePattern& pattern : patterns) {
    if (std::any_of(modules.begin(), modules.end(),
                    [&](const LayerModule& module) { return pattern.matches(module); }))
      continue;
    std::vector<std::string> known;
    for (const LayerModule& module : modules)
      if (std::find(known.begin(), known.end(), module.inside) == known.end())
        known.push_back(module.inside);
    std::string names;
    for (const std::string& name : known) names += ", " + name;
    const int layers = modules.empty() ? 0 : modules.back().layer + 1;
    fail(ErrorKind::kUserInput,
         "no layer of the model is called '{}'; there are: all, attention, mlp{}, each in layers 0 "
         "to {}",
         pattern.text(), names, layers - 1);
  }
}

bool matches_any(const std::vector<ModulePattern>& patterns, const LayerModule& module) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const ModulePattern& pattern) { return pattern.matches(module); });
}

std::vector<RankRule> rank_rules(const std::vector<std::string>& texts) {
  std::vector<RankRule> rules;
  for (const std::string& text : texts) {
    const size_t equals = text.rfind('=');
    const auto rank =
        equals == std::string::npos ? std::nullopt : whole_number(trimmed(text.substr(equals + 1)));
    if (!rank || *rank < 1)
      fail(ErrorKind::kUserInput,
           "'{}': expected layers and their rank, such as q_proj=16 or layers.0-5.mlp=4", text);
    rules.push_back({ModulePattern(text.substr(0, equals)), *rank});
  }
  return rules;
}

}  // namespace toolkit::engine
