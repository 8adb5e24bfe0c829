#include "engine/train/preference.h"

#include <optional>
#include <utility>

#include "core/base/error.h"
#include "engine/adapt.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::engine {

namespace {

mx::array scalar(double value) {
  return mx::array(static_cast<float>(value));
}

mx::array log_sigmoid(const mx::array& x) {
  return mx::negative(mx::logaddexp(mx::array(0.0f), mx::negative(x)));
}

mx::array share_of(const mx::array& larger, const mx::array& smaller) {
  return mx::astype(mx::greater(larger, smaller), mx::float32);
}

/// Supervised tokens of each sample of a batch, (samples) f32.
mx::array answer_lengths(const data::PackedBatch& batch) {
  std::vector<float> lengths(batch.samples.size(), 0.0f);
  for (const int32_t owner : batch.owners) lengths[static_cast<size_t>(owner)] += 1.0f;
  return mx::array(lengths.data(), {static_cast<int>(lengths.size())}, mx::float32);
}

/// log p(answer | prompt) of each sample of a batch, (samples) f32.
mx::array answer_log_probs(models::Decoder& model, const data::PackedBatch& batch,
                           const LossOptions& options) {
  const auto samples = static_cast<int>(batch.samples.size());
  const auto tokens = static_cast<int>(batch.predictors.size());
  std::vector<float> belongs(batch.samples.size() * batch.predictors.size(), 0.0f);
  for (size_t i = 0; i < batch.owners.size(); ++i)
    belongs[static_cast<size_t>(batch.owners[i]) * batch.owners.size() + i] = -1.0f;
  const mx::array sums(belongs.data(), {samples, tokens}, mx::float32);
  const mx::array losses = token_losses(model, batch, options);
  return mx::squeeze(mx::matmul(sums, mx::expand_dims(losses, 1)), 1);
}

/// The two answers of every pair, (pairs) each.
struct Pairs {
  explicit Pairs(const mx::array& by_sample)
      : chosen(every_second(by_sample, 0)), rejected(every_second(by_sample, 1)) {}
  mx::array chosen, rejected;

 private:
  static mx::array every_second(const mx::array& all, int first) {
    return mx::slice(all, {first}, {all.shape(0)}, {2});
  }
};

/// Takes the branches off while it lives.
class BranchesOff {
 public:
  explicit BranchesOff(models::Decoder& model) {
    for (const auto& [path, layer] : model.linears())
      if (layer->lora)
        taken_.push_back({layer, std::exchange(layer->lora, std::nullopt),
                          std::exchange(layer->dora, std::nullopt)});
  }
  ~BranchesOff() {
    for (Taken& taken : taken_) {
      taken.layer->lora = std::move(taken.lora);
      taken.layer->dora = std::move(taken.dora);
    }
  }
  BranchesOff(const BranchesOff&) = delete;
  BranchesOff& operator=(const BranchesOff&) = delete;

 private:
  struct Taken {
    nn::Linear* layer;
    std::optional<tensor::LoraBranch> lora;
    std::optional<nn::Dora> dora;
  };
  std::vector<Taken> taken_;
};

mx::array base_log_probs(models::Decoder& model, const data::PackedBatch& batch) {
  const BranchesOff off(model);
  mx::array found = answer_log_probs(model, batch, {});
  mx::eval(found);
  return found;
}

class PreferenceObjective : public Objective {
 public:
  double units(const data::PackedBatch& batch) const override {
    return static_cast<double>(batch.samples.size()) / 2;
  }
  std::vector<std::string> metric_names() const override {
    return {"ranking_accuracy", "reward_accuracy", "reward_margin", "chosen_log_prob",
            "rejected_log_prob"};
  }

 protected:
  /// In the order of metric_names(), then `more`.
  static mx::array metric_sums(const Pairs& log_probs, const Pairs& rewards,
                               const std::vector<mx::array>& more = {}) {
    std::vector<mx::array> rows = {
        share_of(log_probs.chosen, log_probs.rejected), share_of(rewards.chosen, rewards.rejected),
        mx::subtract(rewards.chosen, rewards.rejected), log_probs.chosen, log_probs.rejected};
    rows.insert(rows.end(), more.begin(), more.end());
    return mx::stop_gradient(mx::sum(mx::stack(rows), 1));
  }
};

class Dpo : public PreferenceObjective {
 public:
  Dpo(const DpoOptions& options, KnownLogProbs known)
      : options_(options), known_(std::move(known)) {}

  std::vector<mx::array> constants(models::Decoder& model,
                                   const data::PackedBatch& batch) const override {
    if (!known_) return {base_log_probs(model, batch)};
    std::vector<float> found;
    for (const int32_t sample : batch.samples) found.push_back(known_->at(sample));
    return {mx::array(found.data(), {static_cast<int>(found.size())}, mx::float32)};
  }

  std::vector<mx::array> sums(models::Decoder& model, const data::PackedBatch& batch,
                              const LossOptions& options,
                              const std::vector<mx::array>& constants) const override {
    const mx::array log_probs = answer_log_probs(model, batch, options);
    const mx::array ratios = mx::subtract(log_probs, constants.at(0));
    const bool by_token = options_.loss == PreferenceLoss::kIpo;
    const Pairs compared(by_token ? mx::divide(ratios, answer_lengths(batch)) : ratios),
        rewards(mx::multiply(ratios, scalar(options_.beta)));
    const mx::array margins = mx::subtract(compared.chosen, compared.rejected);
    return {mx::sum(losses(margins)), metric_sums(Pairs(log_probs), rewards)};
  }

 private:
  mx::array losses(const mx::array& margins) const {
    const mx::array scaled = mx::multiply(margins, scalar(options_.beta));
    switch (options_.loss) {
      case PreferenceLoss::kHinge:
        return mx::maximum(mx::subtract(mx::array(1.0f), scaled), mx::array(0.0f));
      case PreferenceLoss::kIpo:
        return mx::square(mx::subtract(margins, scalar(0.5 / options_.beta)));
      case PreferenceLoss::kSigmoid:
        break;
    }
    const double flipped = options_.label_smoothing;
    const mx::array right = mx::multiply(log_sigmoid(scaled), scalar(flipped - 1));
    if (flipped == 0) return right;
    return mx::subtract(right, mx::multiply(log_sigmoid(mx::negative(scaled)), scalar(flipped)));
  }

  DpoOptions options_;
  KnownLogProbs known_;
};

class Orpo : public PreferenceObjective {
 public:
  explicit Orpo(double beta) : beta_(beta) {}

  std::vector<std::string> metric_names() const override {
    std::vector<std::string> names = PreferenceObjective::metric_names();
    names.insert(names.end(), {"chosen_loss", "log_odds_ratio"});
    return names;
  }

  std::vector<mx::array> sums(models::Decoder& model, const data::PackedBatch& batch,
                              const LossOptions& options,
                              const std::vector<mx::array>&) const override {
    const mx::array log_probs = answer_log_probs(model, batch, options);
    const mx::array means = mx::divide(log_probs, answer_lengths(batch));
    const Pairs mean(means), rewards(mx::multiply(means, scalar(beta_))), odds(log_odds(means));
    const mx::array ratio = mx::subtract(odds.chosen, odds.rejected);
    const mx::array chosen_loss = mx::negative(mean.chosen);
    const mx::array losses =
        mx::subtract(chosen_loss, mx::multiply(log_sigmoid(ratio), scalar(beta_)));
    return {mx::sum(losses), metric_sums(Pairs(log_probs), rewards, {chosen_loss, ratio})};
  }

 private:
  /// log(p / (1 - p)) of p = exp(x).
  static mx::array log_odds(const mx::array& x) {
    // An answer that is certain has infinite odds: the bound is below what f32 tells from 1.
    const mx::array rest = mx::maximum(mx::negative(mx::expm1(x)), mx::array(1e-12f));
    return mx::subtract(x, mx::log(rest));
  }

  double beta_;
};

}  // namespace

KnownLogProbs reference_log_probs(models::Decoder& model, const Batches& batches,
                                  const std::function<bool(int, int)>& progress) {
  auto known = std::make_shared<std::vector<float>>(batches.samples().size());
  for (int i = 0; i < batches.per_epoch(); ++i) {
    if (progress && !progress(i, batches.per_epoch())) return nullptr;
    const data::PackedBatch batch = batches.at(i);
    const mx::array found = base_log_probs(model, batch);
    for (size_t k = 0; k < batch.samples.size(); ++k)
      known->at(batch.samples[k]) = found.data<float>()[k];
  }
  return known;
}

std::shared_ptr<const Objective> dpo(const DpoOptions& options, KnownLogProbs known) {
  return std::make_shared<Dpo>(options, std::move(known));
}

std::shared_ptr<const Objective> orpo(double beta) {
  return std::make_shared<Orpo>(beta);
}

}  // namespace toolkit::engine
