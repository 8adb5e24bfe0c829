#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "core/files/disk_space.h"
#include "projects/finetune/memory_plan.h"
#include "projects/finetune/objective.h"

namespace toolkit::finetune {

namespace {

constexpr int kQuickBatch = 256;  // tokens; smaller batches make the products slower
constexpr int kLengthStep = 64;
constexpr double kLearnedShare = 0.9;  // of the supervised tokens, at least, when rows are cut

std::string shown(int64_t bytes) {
  return files::shown_bytes(static_cast<uint64_t>(std::max<int64_t>(0, bytes)));
}

int longest(const data::SampleSet& samples) {
  int most = 1;
  for (const data::SampleView& sample : samples) most = std::max(most, sample.size());
  return most;
}

/// Settings a run might have, by what was changed in those asked for.
struct Candidate {
  Config config;
  tensor::Compute compute;
  std::vector<SettingChange> changes;

  void change(const std::string& setting, const std::string& from, const std::string& to,
              const std::string& why) {
    for (SettingChange& before : changes)
      if (before.setting == setting) {
        before.to = to;
        before.why = why;
        return;
      }
    changes.push_back({setting, from, to, why});
  }
};

class Search {
 public:
  Search(const PlanInput& input, int64_t limit) : input_(input), limit_(limit) {}

  /// Whether it fits; remembers it if nothing needs less.
  bool fits(const Candidate& candidate, const data::SampleSet& samples) {
    const PlanInput input{input_.blank, input_.stored, samples, candidate.compute};
    needs_ = training_needs(candidate.config, input);
    plan_ = plan_memory(input_.blank.config(), needs_);
    if (!least_ || plan_.total() < least_->plan.total())
      least_ = MemoryChoice{.config = candidate.config,
                            .compute = candidate.compute,
                            .needs = needs_,
                            .plan = plan_,
                            .asked = {},
                            .changes = candidate.changes};
    return limit_ <= 0 || plan_.total() <= limit_;
  }

  /// The first that fits among this one and what changes nothing in the result.
  std::optional<Candidate> same_result(const Candidate& asked, const data::SampleSet& samples) {
    if (fits(asked, samples)) return asked;
    if (const auto found = smaller_batches(asked, samples, kQuickBatch)) return found;
    Candidate twice = asked;
    if (!twice.config.checkpoint_layers) {
      twice.config.checkpoint_layers = true;
      twice.change("checkpoint-layers", "false", "true",
                   "layers are computed twice: about a quarter slower, the same result");
      if (fits(twice, samples)) return twice;
      if (const auto found = smaller_batches(twice, samples, kQuickBatch)) return found;
    }
    if (twice.compute == tensor::Compute::kInt8) {
      twice.compute = tensor::Compute::kFloat32;
      twice.change("compute", twice.config.compute, "f32",
                   "no 8-bit copies of the weights: slower, exact");
      twice.config.compute = "f32";
      if (fits(twice, samples)) return twice;
    }
    return smaller_batches(twice, samples, 1);
  }

  const engine::TrainingNeeds& needs() const { return needs_; }
  const engine::MemoryPlan& plan() const { return plan_; }
  const MemoryChoice& least() const { return *least_; }

 private:
  std::optional<Candidate> smaller_batches(Candidate candidate, const data::SampleSet& samples,
                                           int at_least) {
    const int whole = candidate.config.batch_tokens, batches = candidate.config.accumulate;
    const int row = longest(samples);
    for (int parts = 2; whole / parts >= at_least && whole / parts * 2 > row; parts *= 2) {
      candidate.config.batch_tokens = std::max(16, whole / parts);
      candidate.config.accumulate = batches * parts;
      candidate.change("batch-tokens", std::to_string(whole),
                       std::to_string(candidate.config.batch_tokens),
                       "smaller batches need less at a time");
      candidate.change("accumulate", std::to_string(batches),
                       std::to_string(candidate.config.accumulate),
                       "as many tokens make a step as before");
      if (fits(candidate, samples)) return candidate;
    }
    return std::nullopt;
  }

  const PlanInput& input_;
  int64_t limit_;
  engine::TrainingNeeds needs_;
  engine::MemoryPlan plan_;
  std::optional<MemoryChoice> least_;
};

void set_method(Candidate& candidate, const std::string& method, const std::string& why) {
  candidate.change("method", candidate.config.method, method, why);
  candidate.config.method = method;
}

bool can_be_packed(const Config& config, const PlanInput& input) {
  using Kind = models::ModelParameter::Kind;
  for (const models::ModelParameter& parameter : input.blank.parameters()) {
    const auto form = input.stored.find(parameter.name);
    if (parameter.kind == Kind::kMatrix && parameter.layer >= 0 && form != input.stored.end() &&
        !form->second.packed() && parameter.shape.back() % config.quantize_group == 0)
      return true;
  }
  return false;
}

/// The methods to try in turn, each holding less than the one before.
std::vector<Candidate> methods_for(const Candidate& asked, const PlanInput& input) {
  std::vector<Candidate> list = {asked};
  if (asked.config.method == "full") {
    Candidate next = asked;
    if (asked.config.optimizer == "adamw") {
      next.change("optimizer", "adamw", "adamw8bit",
                  "its first moment takes a byte instead of four");
      next.config.optimizer = "adamw8bit";
      list.push_back(next);
    }
    if (asked.config.optimizer == "adamw" || asked.config.optimizer == "adamw8bit") {
      next.change("optimizer", asked.config.optimizer, "adafactor",
                  "keeps a row and a column of each matrix");
      next.config.optimizer = "adafactor";
      list.push_back(next);
    }
    next = asked;
    set_method(next, "lora",
               "small matrices learn instead of the weights; they take about ten times the "
               "learning rate");
    list.push_back(next);
  }
  if (asked.config.method != "qlora" && can_be_packed(asked.config, input)) {
    Candidate next = list.back();
    set_method(next, "qlora", "the base is packed to 4 bits while it is loaded");
    list.push_back(next);
  }
  return list;
}

std::optional<Candidate> shorter_rows(Search& search, const Candidate& last,
                                      const data::SampleSet& samples) {
  if (learns_from_pairs(last.config)) return std::nullopt;  // a pair cut before it differs is none
  const int whole = longest(samples);
  const auto learned = static_cast<double>(samples.supervised_tokens());
  for (int length = (whole - 1) / kLengthStep * kLengthStep; length >= kLengthStep;
       length -= kLengthStep) {
    const data::SampleSet cut = samples.cut(length);
    const double kept = cut.empty() ? 0 : static_cast<double>(cut.supervised_tokens()) / learned;
    if (kept < kLearnedShare) return std::nullopt;
    const auto longer = std::count_if(samples.begin(), samples.end(),
                                      [&](const auto& sample) { return sample.size() > length; });
    Candidate candidate = last;
    candidate.config.max_length = length;
    candidate.change("max-length", std::to_string(last.config.max_length), std::to_string(length),
                     fmt::format("cuts {} of {} rows; {:.1f} % of the tokens to learn are lost",
                                 longer, samples.size(), 100 * (1 - kept)));
    if (const auto found = search.same_result(candidate, cut)) return found;
  }
  return std::nullopt;
}

std::string as_flags(const std::vector<SettingChange>& changes) {
  std::string flags;
  for (const SettingChange& change : changes)
    flags += fmt::format(" --{}{}", change.setting, change.to == "true" ? "" : " " + change.to);
  return flags;
}

}  // namespace

MemoryChoice choose_for_memory(const Config& config, const PlanInput& input, int64_t limit_bytes) {
  Search search(input, limit_bytes);
  const Candidate asked{config, input.compute, {}};
  std::optional<Candidate> found;
  search.fits(asked, input.samples);
  const engine::MemoryPlan plan_asked = search.plan();
  const std::vector<Candidate> methods = methods_for(asked, input);
  for (const Candidate& candidate : methods)
    if ((found = search.same_result(candidate, input.samples))) break;
  if (!found) found = shorter_rows(search, methods.back(), input.samples);
  if (!found)
    fail(ErrorKind::kOutOfMemory,
         "--memory-limit {}: as asked the run needs {}, and with{} still {}; give a limit of {} or "
         "more, or a smaller model",
         shown(limit_bytes), shown(plan_asked.total()), as_flags(search.least().changes),
         shown(search.least().plan.total()), shown(search.least().plan.total()));
  return {.config = found->config,
          .compute = found->compute,
          .needs = search.needs(),
          .plan = search.plan(),
          .asked = plan_asked,
          .changes = found->changes};
}

void check_memory(const MemoryChoice& choice, const PlanInput& input, int64_t available_bytes) {
  const int64_t held = choice.plan.program;  // is there by now
  const int64_t needed = choice.plan.total() - held;
  if (available_bytes <= 0 || needed <= available_bytes) return;
  std::string ways;
  try {
    const MemoryChoice fitting = choose_for_memory(choice.config, input, available_bytes + held);
    ways = fmt::format("; it fits with{}", as_flags(fitting.changes));
  } catch (const Error&) {
    ways = "; choose a smaller model, or a method that trains less";
  }
  fail(ErrorKind::kOutOfMemory, "the run needs about {}, but {} are free{}", shown(needed),
       shown(available_bytes), ways);
}

}  // namespace toolkit::finetune
