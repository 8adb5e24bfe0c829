#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/base/random.h"

namespace toolkit::engine {

/// How the next token is picked from the logits. Temperature 0 is greedy: the most likely one.
struct SamplingOptions {
  double temperature = 0.0;
  int top_k = 0;       // only the k most likely; 0: all
  double top_p = 1.0;  // the fewest tokens whose probabilities reach p (Holtzman et al. 2019,
                       // arXiv:1904.09751)
  double min_p =
      0.0;  // at least this share of the most likely one's (Nguyen et al. 2024, arXiv:2407.01082)
  double repetition_penalty =
      1.0;  // divides positive, multiplies negative logits (Keskar et al. 2019, arXiv:1909.05858)
  int repetition_window = 64;      // of the last tokens it looks at
  double presence_penalty = 0.0;   // taken off the logit of every generated token
  double frequency_penalty = 0.0;  // the same, as often as it was generated
  double mirostat_tau = 0.0;       // bits of surprise to keep to, instead of k, p and min-p; 0: off
  double mirostat_eta = 0.1;       // how fast (Mirostat 2, Basu et al. 2021, arXiv:2007.14966)
  std::vector<std::pair<int32_t, float>> logit_bias;  // token, what is added to its logit
  uint64_t seed = 0;
};

/// Index of the largest value, the first of equals.
int32_t argmax(std::span<const float> values);

/// Picks tokens. The same seed picks the same tokens from the same logits on every machine.
class Sampler {
 public:
  explicit Sampler(const SamplingOptions& options);

  /// `logits` (V) is scratch afterwards; `history` are the tokens so far, the newest last, of which
  /// the first `prompt_tokens` were given, not generated. Throws Error(kInternal) if no logit is
  /// finite.
  int32_t pick(std::span<float> logits, std::span<const int32_t> history, size_t prompt_tokens = 0);

 private:
  void penalize(std::span<float> logits, std::span<const int32_t> history) const;
  void penalize_generated(std::span<float> logits, std::span<const int32_t> generated) const;
  void weigh(std::span<const float> logits, float highest);
  bool collect(float least, double total);
  void keep_candidates(std::span<const float> logits, float highest);
  int32_t draw();
  int32_t draw_by_surprise();

  SamplingOptions options_;
  Random random_;
  double most_surprise_;                               // of a candidate, in bits: Mirostat's mu
  std::vector<float> weights_;                         // (V), relative to the best
  std::vector<std::pair<float, int32_t>> candidates_;  // weight relative to the best, token
};

}  // namespace toolkit::engine
