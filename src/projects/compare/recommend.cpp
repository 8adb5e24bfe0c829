#include "projects/compare/recommend.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace toolkit::compare {

namespace {

constexpr double kAsQuick = 1.1;

double quality(const Entry& entry, const std::string& goal) {
  return goal == "task" ? engine::mean_score(entry.task_correct).value : -entry.loss.value;
}

std::string figure(const Entry& entry, const std::string& goal) {
  if (goal == "task") return fmt::format("task score {:.3f}", quality(entry, goal));
  return fmt::format("validation loss {:.4f}", entry.loss.value);
}

std::string interval(const engine::Estimate& estimate) {
  return fmt::format("{:.4f}, 95 % between {:.4f} and {:.4f}", estimate.value, estimate.low,
                     estimate.high);
}

/// "30 % less time", "1.4 GB less memory": what the choice saves against another.
std::string savings(const Entry& chosen, const Entry& other) {
  std::vector<std::string> parts;
  const double time = 1 - chosen.seconds / other.seconds;
  if (time > 0.02) parts.push_back(fmt::format("{:.0f} % less time", 100 * time));
  const double memory = 1 - chosen.peak_bytes / other.peak_bytes;
  if (memory > 0.02) parts.push_back(fmt::format("{:.0f} % less memory", 100 * memory));
  return fmt::format("{}", fmt::join(parts, " and "));
}

const Entry& cheapest(const std::vector<const Entry*>& candidates) {
  const Entry* best = candidates.front();
  for (const Entry* one : candidates)
    if (one->seconds < best->seconds) best = one;
  const double bound = best->seconds * kAsQuick;
  for (const Entry* one : candidates)
    if (one->seconds <= bound && one->peak_bytes < best->peak_bytes) best = one;
  return *best;
}

void explain(const Entry& chosen, const Entry& best, const std::vector<const Entry*>& fit,
             const Entry& base, const std::string& goal, std::vector<std::string>& reasons) {
  if (&chosen == &best) {
    reasons.push_back(fmt::format("{} has the best {} of the {} that keep{} the constraints.",
                                  chosen.method, figure(chosen, goal), fit.size(),
                                  fit.size() == 1 ? "s" : ""));
  } else {
    const std::string saved = savings(chosen, best);
    reasons.push_back(fmt::format(
        "{} ({}) is not clearly worse than {} ({}): the difference on the same rows is {}.",
        chosen.method, figure(chosen, goal), best.method, figure(best, goal),
        interval(advantage(best, chosen, goal))));
    if (!saved.empty()) reasons.push_back(fmt::format("It takes {} than {}.", saved, best.method));
  }
  const engine::Estimate gain = advantage(chosen, base, goal);
  if (gain.low > 0)
    reasons.push_back(fmt::format("Against the model as it was it gains {}.", interval(gain)));
  else
    reasons.push_back(
        fmt::format("It is not clearly better than the model as it was ({}): train longer, with "
                    "more rows or another learning rate before relying on it.",
                    interval(gain)));
  for (const Entry* one : fit) {
    if (one == &chosen || one == &best) continue;
    const engine::Estimate lead = advantage(chosen, *one, goal);
    const std::string saved = savings(chosen, *one);
    if (lead.low > 0)
      reasons.push_back(fmt::format("{} is clearly worse, by {}.", one->method, interval(lead)));
    else if (!saved.empty())
      reasons.push_back(fmt::format("{} is about as good and takes more: {} takes {}.", one->method,
                                    chosen.method, saved));
  }
}

}  // namespace

std::string obstacle(const Entry& entry, const Constraints& constraints) {
  if (!entry.measured()) return entry.reason;
  if (constraints.memory_bytes > 0 && entry.peak_bytes > constraints.memory_bytes)
    return fmt::format("needs {} of memory, {} are allowed", shown_size(entry.peak_bytes),
                       shown_size(constraints.memory_bytes));
  if (constraints.seconds > 0 && entry.seconds > constraints.seconds)
    return fmt::format("takes {}, {} are allowed", shown_seconds(entry.seconds),
                       shown_seconds(constraints.seconds));
  if (constraints.adapter_bytes > 0 && entry.adapter_bytes > constraints.adapter_bytes)
    return fmt::format("writes {}, {} are allowed", shown_size(entry.adapter_bytes),
                       shown_size(constraints.adapter_bytes));
  return "";
}

engine::Estimate advantage(const Entry& other, const Entry& entry, const std::string& goal) {
  if (goal != "task") return engine::loss_reduction(entry.rows, other.rows);
  return engine::interval_of(engine::mean_gain(entry.task_correct, other.task_correct));
}

Recommendation recommend(const Entry& base, std::span<const Entry> entries,
                         const Constraints& constraints, const std::string& goal) {
  Recommendation result;
  std::vector<const Entry*> fit;
  std::vector<std::string> left_out;
  for (const Entry& entry : entries) {
    const std::string why = obstacle(entry, constraints);
    if (why.empty())
      fit.push_back(&entry);
    else
      left_out.push_back(fmt::format("{} is left out: {}.", entry.method, why));
  }
  if (fit.empty()) {
    result.reasons = {
        "No method keeps the constraints: loosen them, take a smaller model, fewer "
        "steps or smaller batches."};
  } else {
    const Entry& best = **std::max_element(
        fit.begin(), fit.end(),
        [&](const Entry* a, const Entry* b) { return quality(*a, goal) < quality(*b, goal); });
    std::vector<const Entry*> as_good;
    for (const Entry* one : fit)
      if (one == &best || advantage(best, *one, goal).low <= 0) as_good.push_back(one);
    const Entry& chosen = cheapest(as_good);
    result.method = chosen.method;
    explain(chosen, best, fit, base, goal, result.reasons);
  }
  result.reasons.insert(result.reasons.end(), left_out.begin(), left_out.end());
  return result;
}

}  // namespace toolkit::compare
