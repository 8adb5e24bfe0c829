#pragma once

#include <string>
#include <vector>

#include "models/decoder.h"

namespace toolkit::engine {

/// A linear layer of a decoder layer: "model.layers.3.self_attn.q_proj" is {3, "self_attn.q_proj"}.
struct LayerModule {
  std::string path;
  int layer;
  std::string inside;
  nn::Linear* linear;
};

/// Every linear layer inside the decoder layers, in model order; the head is none of them.
std::vector<LayerModule> layer_modules(models::Decoder& model);

/// Which linear layers a user means. In words:
///   all, attention, mlp            groups
///   q_proj, self_attn.q_proj       a name, whole or its end
///   self_attn.*, *_proj            with * for any letters and ? for one
///   layers.0-5.mlp, layers.3.q_proj  any of these, in some layers only, counted from 0
class ModulePattern {
 public:
  /// Throws Error(kUserInput) for an empty pattern or layers that are no numbers.
  explicit ModulePattern(const std::string& text);

  const std::string& text() const { return text_; }
  bool matches(const LayerModule& module) const;

 private:
  std::string text_, name_;
  int first_ = 0, last_ = INT32_MAX;
};

std::vector<ModulePattern> module_patterns(const std::vector<std::string>& texts);

/// Throws Error(kUserInput) naming a pattern that no layer matches, with the names there are.
void check_patterns(const std::vector<ModulePattern>& patterns,
                    const std::vector<LayerModule>& modules);

bool matches_any(const std::vector<ModulePattern>& patterns, const LayerModule& module);

/// "q_proj=16" or "layers.0-5.mlp=4": the rank of the layers a pattern means.
struct RankRule {
  ModulePattern pattern;
  int rank;
};

/// Throws Error(kUserInput) for a rule that is not pattern=rank with a rank from 1.
std::vector<RankRule> rank_rules(const std::vector<std::string>& texts);

}  // namespace toolkit::engine
