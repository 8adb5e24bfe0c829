#include "projects/tune/search_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/progress.h"
#include "engine/trials/child_run.h"
#include "projects/tune/page.h"
#include "projects/tune/plots.h"
#include "projects/tune/trial_run.h"
#include "projects/tune/trial_space.h"

namespace toolkit::tune {

namespace {

constexpr size_t kFailuresAtFirst = 3;

/// What must not change over --resume; a later one may have more trials.
Json identity(const Config& config, const Settings& fixed, const search::Space& space) {
  Json dimensions = Json::array();
  for (const search::Dimension& one : space.dimensions())
    dimensions.push_back({{"name", one.name},
                          {"kind", static_cast<int>(one.kind)},
                          {"low", one.low},
                          {"high", one.high},
                          {"log", one.logarithmic},
                          {"choices", one.choices}});
  return {{"model", config.model},   {"data", config.data},
          {"settings", fixed},       {"space", dimensions},
          {"method", config.method}, {"seed", config.seed},
          {"rounds", config.rounds}, {"keep_one_of", config.keep_one_of},
          {"epochs", config.epochs}, {"steps", config.steps}};
}

bool has_dimension(const search::Space& space, const std::string& name) {
  return std::any_of(space.dimensions().begin(), space.dimensions().end(),
                     [&](const search::Dimension& one) { return one.name == name; });
}

/// Trials write no checkpoints and answer no question, unless asked to.
void leave_out_what_costs(const Json& fields, Settings& settings) {
  for (const char* name : {"save-every", "sample"}) {
    if (trials::find_field(fields, name)) settings.try_emplace(name, "0");
  }
}

/// Every fifth trial is left to chance: a process that trusts its first trials too much would stay
/// where they were good (the epsilon-greedy rule with which Bull 2011, "Convergence Rates of
/// Efficient Global Optimization Algorithms", proves that the search does not get stuck).
bool guards(size_t index) {
  constexpr size_t kEvery = 5, kFirst = 9;
  return index >= kFirst && (index - kFirst) % kEvery == 0;
}

search::Point next_point(const Search& search) {
  const Config& config = search.config;
  const auto seed = static_cast<uint64_t>(config.seed);
  const size_t index = search.trials.size();
  if (index == 0) {
    search::Point point = default_point(search.space, search.fields);
    if (!point.empty()) return point;
  }
  if (config.method == "random" || guards(index))
    return search::propose_random(search.space, static_cast<int64_t>(index), seed);
  const auto seen = observations(search.trials, search.schedule);
  return search::propose(search.space, seen, {.seed = seed});
}

/// Only the best one's weights are worth their place on the disk.
void tidy(const Search& search) {
  const auto best = winner(search.trials, search.config.goal);
  for (size_t i = 0; i < search.trials.size(); ++i) {
    for (size_t round = 0; round < search.trials[i].rounds.size(); ++round) {
      if (!best || best->trial != i || best->round != round)
        trials::remove_weights(search.folder({i, round}));
    }
  }
}

std::string note(const Search& search, const Turn& turn) {
  const Result& result = search.trials[turn.trial].rounds[turn.round];
  const std::string end = result.failed() ? "failed" : fmt::format("loss {:.4f}", result.loss);
  const auto best = winner(search.trials, search.config.goal);
  const std::string so_far =
      best ? fmt::format(", best {:.4f}", search.trials[best->trial].rounds[best->round].loss) : "";
  return fmt::format("trial {} ({}): {}{}", turn.trial + 1,
                     shown_share(search.schedule, turn.round), end, so_far);
}

/// False on Ctrl-C: the round is as if it had not begun.
bool take_turn(Search& search, const Turn& turn, const report::OpenRun& open) {
  const bool fresh = turn.trial == search.trials.size();
  if (fresh) search.trials.push_back({.point = next_point(search), .rounds = {}});
  TrialRun child{.program = search.program,
                 .folder = search.folder(turn),
                 .settings = search.settings(turn),
                 .parent = open.start.id};
  child.settings["output"] = child.folder.string();
  leave_out_what_costs(search.fields, child.settings);
  bool interrupted = false;
  Result result = run_trial(child, search.fields, interrupted);
  if (interrupted) {
    if (fresh) search.trials.pop_back();
    return false;
  }
  Trial& trial = search.trials[turn.trial];
  trial.rounds.push_back(std::move(result));
  search.journal.add(turn, trial, settings_of(search.space, trial.point));
  const Result& last = trial.rounds.back();
  if (!last.failed())
    open.log->metric(turn.round + 1 == static_cast<size_t>(search.schedule.rounds)
                         ? "validation_loss"
                         : "validation_loss_of_short_round",
                     static_cast<int64_t>(turn.trial) + 1, last.loss);
  return true;
}

void check_first(const Search& search, size_t failed, size_t done) {
  if (failed < kFailuresAtFirst || failed < done) return;
  fail(ErrorKind::kUserInput, "the first {} trials failed; the last one: {}", failed,
       search.trials.back().rounds.back().error);
}

void write_results(const Search& search, report::RunLog& log) {
  if (const auto best = winner(search.trials, search.config.goal)) {
    const Result& result = search.trials[best->trial].rounds[best->round];
    Settings settings = search.settings({best->trial, search.trials[best->trial].rounds.size()});
    write_file_atomically(
        search.file("best.yaml"),
        fmt::format("# Trial {} of a search: validation loss {:.4f} after {} of the steps. For "
                    "mlx-toolkit finetune --config.\n{}",
                    best->trial + 1, result.loss, shown_share(search.schedule, best->round),
                    trials::to_yaml(settings, search.fields)));
    log.artifact(search.file("best.yaml"), "the best settings");
  }
  write_file_atomically(search.file("trials.svg"), trials_svg(search));
  log.artifact(search.file("trials.svg"), "loss of every trial");
  if (const std::string svg = importance_svg(search); !svg.empty()) {
    write_file_atomically(search.file("importance.svg"), svg);
    log.artifact(search.file("importance.svg"), "which settings matter");
  }
}

}  // namespace

Settings Search::settings(const Turn& turn) const {
  Settings all = fixed;
  all["model"] = config.model;
  all["data"] = config.data;
  all["seed"] = std::to_string(config.seed);
  // A round past the last one means a whole trial.
  const double share = std::min(1.0, schedule.share(turn.round));
  if (config.steps > 0)
    all["steps"] = fmt::format("{:.0f}", std::max(1.0, std::round(config.steps * share)));
  else
    all["epochs"] = fmt::format("{:.6g}", config.epochs * share);
  for (auto& [name, text] : settings_of(space, trials[turn.trial].point))
    all[name] = name == "epochs" ? fmt::format("{:.6g}", std::stod(text) * share) : text;
  return all;
}

std::filesystem::path Search::folder(const Turn& turn) const {
  return file(fmt::format("trials/{:03}-round-{}", turn.trial + 1, turn.round + 1));
}

std::filesystem::path Search::file(const std::string& name) const {
  return std::filesystem::path(config.output) / name;
}

Search prepare(const Config& config, const std::string& program, const ModelLimits& limits) {
  check(config);
  const std::filesystem::path output = config.output;
  std::error_code error;
  std::filesystem::create_directories(output, error);
  if (error)
    fail(ErrorKind::kIo, "the output folder {} cannot be made: {}", config.output, error.message());
  files::FileLock lock = files::FileLock::take(output / "search.lock", files::LockMode::kExclusive,
                                               "tune", std::chrono::milliseconds(0));
  const Json fields = trials::finetune_fields(program, output / "finetune-help.log");
  std::filesystem::remove(output / "finetune-help.log", error);
  Settings fixed =
      trials::fixed_settings(config.settings, config.set, fields, kSetBySearch, "tune");
  search::Space space = read_space(config.space, config.only, fixed, fields, limits);
  if (config.steps > 0 && has_dimension(space, "epochs"))
    fail(ErrorKind::kUserInput,
         "--steps gives every trial the same length; leave it out, or epochs "
         "out of the space");
  const Json search = identity(config, fixed, space);
  std::vector<Trial> trials;
  TrialJournal journal = config.resume
                             ? TrialJournal::resume(output / "trials.jsonl", search, space, trials)
                             : TrialJournal::create(output / "trials.jsonl", search);
  return {.config = config,
          .program = program,
          .fields = fields,
          .fixed = std::move(fixed),
          .space = std::move(space),
          .schedule = {.trials = config.trials,
                       .rounds = config.rounds,
                       .keep_one_of = config.keep_one_of},
          .trials = std::move(trials),
          .journal = std::move(journal),
          .lock = std::move(lock)};
}

void run(Search& search, const report::OpenRun& open, bool quiet) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  const double minutes = search.config.minutes;
  InterruptGuard guard;
  size_t done = 0, failed = 0;
  Progress bar("searching", search.schedule.trials, quiet);
  while (const auto turn = next_turn(search.trials, search.schedule)) {
    const double passed = std::chrono::duration<double>(Clock::now() - begin).count() / 60;
    if (minutes > 0 && passed >= minutes) break;
    if (!take_turn(search, *turn, open)) {
      search.status = "interrupted";
      break;
    }
    ++done;
    if (search.trials[turn->trial].rounds.back().failed()) ++failed;
    check_first(search, failed, done);
    tidy(search);
    bar.update(static_cast<int64_t>(search.trials.size()), note(search, *turn));
  }
  bar.finish();
  write_results(search, *open.log);
  search.lock.reset();
}

}  // namespace toolkit::tune
