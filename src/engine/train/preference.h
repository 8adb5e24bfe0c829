#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/train/batches.h"
#include "engine/train/objective.h"
#include "models/decoder.h"

namespace toolkit::engine {

/// How the margin h = log-ratio of the chosen answer - that of the rejected one becomes a loss.
///   kSigmoid  -log sigma(beta h) (Rafailov et al. 2023, arXiv:2305.18290); with label smoothing e,
///             (1 - e) of it and e of -log sigma(-beta h) (cDPO)
///   kHinge    max(0, 1 - beta h) (SLiC, Zhao et al. 2023, arXiv:2305.10425)
///   kIpo      (h - 1 / (2 beta))^2, log-ratios being means over an answer's tokens (Azar et al.
///             2023, arXiv:2310.12036)
enum class PreferenceLoss { kSigmoid, kHinge, kIpo };

struct DpoOptions {
  double beta = 0.1;
  PreferenceLoss loss = PreferenceLoss::kSigmoid;
  double label_smoothing = 0;  // of kSigmoid: share of pairs thought to be the wrong way round
};

/// Log-probabilities of the answers of a data set under the model that training starts from, by
/// sample; a batch's are looked up by PackedBatch::samples.
using KnownLogProbs = std::shared_ptr<const std::vector<float>>;

/// Of every sample of `batches`, its branches off: what a model whose own weights train has to know
/// beforehand. `progress` as in measure_loss; null if it said to stop.
KnownLogProbs reference_log_probs(models::Decoder& model, const Batches& batches,
                                  const std::function<bool(int, int)>& progress = {});

/// Objectives over pairs: samples 2k and 2k + 1 of a set are the chosen and the rejected answer to
/// one prompt, so its batches have group = 2. A unit is a pair. Metrics, means over pairs:
///   ranking_accuracy                   the chosen answer is the likelier one
///   reward_accuracy, reward_margin     how often and by how much its reward is the higher one
///   chosen_log_prob, rejected_log_prob of the whole answers

/// Direct preference optimization; the reward of an answer is beta times its log-ratio to the
/// reference model. That is `known` where given, else the model itself with its branches off: no
/// second copy, one more forward pass.
std::shared_ptr<const Objective> dpo(const DpoOptions& options, KnownLogProbs known = nullptr);

/// Odds ratio preference optimization, without a reference (Hong et al. 2024, arXiv:2403.07691):
/// the chosen answer's mean cross-entropy - beta log sigma(log-odds of chosen - of rejected), an
/// answer's probability being the geometric mean over its tokens. Each pair counts the same. beta
/// is the paper's lambda; the reward of an answer is beta times its mean log-probability. Metrics
/// also chosen_loss (the cross-entropy) and log_odds_ratio.
std::shared_ptr<const Objective> orpo(double beta);

}  // namespace toolkit::engine
