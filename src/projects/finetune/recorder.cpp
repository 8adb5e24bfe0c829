#include "projects/finetune/recorder.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/platform/hardware.h"

namespace toolkit::finetune {

void Recorder::stepped(const engine::StepReport& report) {
  if (report.skipped) {
    log.metric("skipped_step", report.step, 1);
  } else {
    average_loss = training.empty() ? report.loss : 0.9 * average_loss + 0.1 * report.loss;
    training.emplace_back(static_cast<double>(report.step), report.loss);
    log.metric("train_loss", report.step, report.loss);
    for (const auto& [name, value] : report.metrics)
      log.metric("train_" + name, report.step, value);
    if (const auto accuracy = report.metrics.find("reward_accuracy");
        accuracy != report.metrics.end())
      average_accuracy =
          training.size() == 1 ? accuracy->second : 0.9 * average_accuracy + 0.1 * accuracy->second;
  }
  if (tokens == 0) {
    first_tokens = report.tokens;
    first_seconds = report.seconds;
  }
  tokens += report.tokens;
  seconds += report.seconds;
  log.metric("learning_rate", report.step, report.learning_rate);
  log.metric("gradient_norm", report.step, report.gradient_norm);
  log.metric("tokens_per_second", report.step, report.tokens / std::max(report.seconds, 1e-9));
  if (!bar) bar = std::make_unique<Progress>("training", steps, quiet);
  const double warm = seconds - first_seconds;
  const double rate = warm > 0 ? static_cast<double>(tokens - first_tokens) / warm
                               : report.tokens / std::max(report.seconds, 1e-9);
  const std::string accuracy =
      report.metrics.empty() ? "" : fmt::format("  right {:.0f} %", 100 * average_accuracy);
  bar->update(report.step,
              fmt::format("loss {:.3f}{}  {:.0f} tok/s  {:.2f} GB", average_loss, accuracy, rate,
                          static_cast<double>(platform::resident_bytes()) / 1e9));
}

bool Recorder::validating(int done, int total) {
  if (!validation_bar) validation_bar = std::make_unique<Progress>("validating", total, quiet);
  validation_bar->update(done);
  return true;
}

bool Recorder::asking_base(int done, int total) {
  if (!reference_bar) reference_bar = std::make_unique<Progress>("asking the base", total, quiet);
  reference_bar->update(done);
  return true;
}

void Recorder::validated(int64_t step, double loss, const engine::Metrics& metrics) {
  validation_bar.reset();
  validation.emplace_back(static_cast<double>(step), loss);
  log.metric("validation_loss", step, loss);
  for (const auto& [name, value] : metrics) log.metric("validation_" + name, step, value);
}

}  // namespace toolkit::finetune
