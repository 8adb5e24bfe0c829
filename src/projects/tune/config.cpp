#include "projects/tune/config.h"

#include "core/base/error.h"

namespace toolkit::tune {

namespace {

void describe_search(Config& c, Fields& fields) {
  const std::string group = "Search";
  fields.push_back({.name = "space",
                    .target = &c.space,
                    .help = "YAML file of what is searched: `learning_rate: 5e-5..1e-3 log`, "
                            "`rank: [8, 16, 32]`; without: the usual LoRA settings",
                    .group = group});
  fields.push_back({.name = "only",
                    .target = &c.only,
                    .help = "search only these settings of the space",
                    .group = group});
  fields.push_back({.name = "set",
                    .target = &c.set,
                    .help = "a finetune setting that every trial has: --set batch-tokens=1024",
                    .group = group});
  fields.push_back({.name = "settings",
                    .target = &c.settings,
                    .help = "YAML file with finetune settings that every trial has",
                    .group = group});
  fields.push_back({.name = "goal",
                    .target = &c.goal,
                    .help = "loss: the lowest validation loss; time, memory: the quickest or "
                            "smallest trial within 1 % of it",
                    .group = group,
                    .choices = {"loss", "time", "memory"}});
  fields.push_back({.name = "method",
                    .target = &c.method,
                    .help = "bayes: a Gaussian process chooses; random: chance does",
                    .group = group,
                    .choices = {"bayes", "random"}});
  fields.push_back({.name = "seed",
                    .target = &c.seed,
                    .help = "of the search and of every trial",
                    .group = group,
                    .minimum = 0});
}

void describe_budget(Config& c, Fields& fields) {
  const std::string group = "Budget";
  fields.push_back({.name = "trials",
                    .target = &c.trials,
                    .help = "settings to try",
                    .group = group,
                    .minimum = 1,
                    .maximum = 10000});
  fields.push_back({.name = "minutes",
                    .target = &c.minutes,
                    .help = "start nothing after so many minutes; 0: no limit",
                    .group = group,
                    .minimum = 0});
  fields.push_back({.name = "epochs",
                    .target = &c.epochs,
                    .help = "of a whole trial",
                    .group = group,
                    .minimum = 1e-6,
                    .maximum = 1e6});
  fields.push_back({.name = "steps",
                    .target = &c.steps,
                    .help = "of a whole trial, instead of --epochs; 0: by epochs",
                    .group = group,
                    .minimum = 0});
  fields.push_back({.name = "rounds",
                    .target = &c.rounds,
                    .help = "lengths of a trial: 1 trains every trial whole, 3 begins with 1/9",
                    .group = group,
                    .minimum = 1,
                    .maximum = 6});
  fields.push_back({.name = "keep-one-of",
                    .target = &c.keep_one_of,
                    .help = "the best one of so many trials goes on to the next, longer round",
                    .group = group,
                    .minimum = 2,
                    .maximum = 10});
}

}  // namespace

Fields describe(Config& c) {
  const std::string input = "Input and output";
  Fields fields = {{.name = "model",
                    .target = &c.model,
                    .help = "folder, .gguf file or sample://smollm2-135m",
                    .group = input,
                    .short_name = "m",
                    .required = true},
                   {.name = "data",
                    .target = &c.data,
                    .help = "folder with train.jsonl and valid.jsonl",
                    .group = input,
                    .short_name = "d",
                    .required = true},
                   {.name = "output",
                    .target = &c.output,
                    .help = "folder for trials, plots and the best settings",
                    .group = input,
                    .short_name = "o"},
                   {.name = "resume",
                    .target = &c.resume,
                    .help = "go on with the search that was interrupted in --output",
                    .group = input}};
  describe_search(c, fields);
  describe_budget(c, fields);
  return fields;
}

void check(const Config& config) {
  if (config.output.empty()) fail(ErrorKind::kUserInput, "--output is empty; name a folder");
  double shortest = config.steps;
  for (int i = 1; i < config.rounds; ++i) shortest /= config.keep_one_of;
  if (config.steps > 0 && shortest < 2)
    fail(ErrorKind::kUserInput,
         "--steps {} in {} rounds would begin with {:.1f} steps; give more steps or fewer --rounds",
         config.steps, config.rounds, shortest);
}

}  // namespace toolkit::tune
