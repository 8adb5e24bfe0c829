#include "projects/finetune/objective.h"

#include "core/base/error.h"
#include "engine/train/preference.h"

namespace toolkit::finetune {

namespace {

engine::DpoOptions dpo_options(const Config& config) {
  const auto loss = config.loss_type == "hinge" ? engine::PreferenceLoss::kHinge
                    : config.loss_type == "ipo" ? engine::PreferenceLoss::kIpo
                                                : engine::PreferenceLoss::kSigmoid;
  return {.beta = config.beta, .loss = loss, .label_smoothing = config.label_smoothing};
}

}  // namespace

bool learns_from_pairs(const Config& config) {
  return config.objective != "sft";
}

void check_objective(const Config& config) {
  const Config defaults;
  if (config.objective != "dpo" && config.loss_type != defaults.loss_type)
    fail(ErrorKind::kUserInput, "--loss-type {} is a loss of --objective dpo, not of {}",
         config.loss_type, config.objective);
  if (config.objective == "sft" && config.beta != defaults.beta)
    fail(ErrorKind::kUserInput,
         "--beta belongs to --objective dpo or orpo, which learn from chosen and rejected answers; "
         "--objective sft has none");
  if (config.label_smoothing == 0) return;
  if (config.objective == "orpo")
    fail(ErrorKind::kUserInput,
         "--label-smoothing is not defined for --objective orpo; leave it out, or use --objective "
         "dpo");
  if (config.objective != "dpo") return;
  if (config.loss_type != "sigmoid")
    fail(ErrorKind::kUserInput,
         "--label-smoothing goes with --loss-type sigmoid (cDPO), not with {}", config.loss_type);
  if (config.label_smoothing >= 0.5)
    fail(ErrorKind::kUserInput,
         "--label-smoothing {} says that every second pair is the wrong way round, so nothing can "
         "be learned; give less than 0.5",
         config.label_smoothing);
}

std::optional<Objectives> objectives(const Config& config, models::Decoder& model,
                                     const engine::Batches& train, const engine::Batches* valid,
                                     const std::function<bool(int, int)>& progress) {
  if (config.objective == "sft") return Objectives{};
  if (config.objective == "orpo") {
    const auto one = engine::orpo(config.beta);
    return Objectives{one, one};
  }
  const engine::DpoOptions options = dpo_options(config);
  if (config.method != "full") {
    const auto one = engine::dpo(options);
    return Objectives{one, one};
  }
  const int batches = train.per_epoch() + (valid ? valid->per_epoch() : 0);
  const auto known_of = [&](const engine::Batches& set, int begin) {
    return engine::reference_log_probs(
        model, set, [&](int done, int) { return progress(begin + done, batches); });
  };
  const engine::KnownLogProbs of_train = known_of(train, 0);
  if (!of_train) return std::nullopt;
  if (!valid) return Objectives{engine::dpo(options, of_train), nullptr};
  const engine::KnownLogProbs of_valid = known_of(*valid, train.per_epoch());
  if (!of_valid) return std::nullopt;
  return Objectives{engine::dpo(options, of_train), engine::dpo(options, of_valid)};
}

}  // namespace toolkit::finetune
