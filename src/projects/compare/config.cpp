#include "projects/compare/config.h"

#include <algorithm>

#include "core/base/error.h"
#include "projects/compare/constraints.h"

namespace toolkit::compare {

namespace {

void describe_input(Config& c, Fields& fields) {
  const std::string group = "Input and output";
  fields.push_back({.name = "model",
                    .target = &c.model,
                    .help = "folder, .gguf file or sample://smollm2-135m",
                    .group = group,
                    .short_name = "m",
                    .required = true});
  fields.push_back({.name = "data",
                    .target = &c.data,
                    .help = "folder with train.jsonl and valid.jsonl (.json, .csv, .tsv, .parquet)",
                    .group = group,
                    .short_name = "d",
                    .required = true});
  fields.push_back({.name = "output",
                    .target = &c.output,
                    .help = "folder for adapters, measurements and the report",
                    .group = group,
                    .short_name = "o"});
  fields.push_back({.name = "resume",
                    .target = &c.resume,
                    .help = "go on with the comparison that was interrupted in --output",
                    .group = group});
}

void describe_methods(Config& c, Fields& fields) {
  const std::string group = "Methods";
  fields.push_back({.name = "methods",
                    .target = &c.methods,
                    .help = "methods of finetune to compare, in this order",
                    .group = group});
  fields.push_back({.name = "set",
                    .target = &c.set,
                    .help = "a finetune setting of every method, --set batch-tokens=1024, or of "
                            "one: --set full.learning-rate=1e-5",
                    .group = group});
  fields.push_back({.name = "settings",
                    .target = &c.settings,
                    .help = "YAML file with finetune settings of every method",
                    .group = group});
  fields.push_back({.name = "epochs",
                    .target = &c.epochs,
                    .help = "passes over the training rows, the same for every method",
                    .group = group,
                    .minimum = 1e-6,
                    .maximum = 1e6});
  fields.push_back({.name = "steps",
                    .target = &c.steps,
                    .help = "steps of every method, instead of --epochs; 0: by epochs",
                    .group = group,
                    .minimum = 0});
  fields.push_back({.name = "seed",
                    .target = &c.seed,
                    .help = "of first values and order of the rows, the same for every method",
                    .group = group,
                    .minimum = 0});
}

void describe_choice(Config& c, Fields& fields) {
  const std::string group = "Recommendation";
  fields.push_back({.name = "constraint",
                    .target = &c.constraint,
                    .help = "what the recommended one must keep: memory=4GB, time=10min, "
                            "adapter=50MB",
                    .group = group});
  fields.push_back({.name = "goal",
                    .target = &c.goal,
                    .help = "what makes a method good: the lowest validation loss, or the first "
                            "--task",
                    .group = group,
                    .choices = {"loss", "task"}});
}

void describe_tasks(Config& c, Fields& fields) {
  const std::string group = "Tasks (see `mlx-toolkit evaluate --help`)";
  fields.push_back({.name = "task",
                    .target = &c.task,
                    .help = "files of questions that every tuned model answers",
                    .group = group,
                    .short_name = "t"});
  fields.push_back({.name = "task-columns",
                    .target = &c.task_columns,
                    .help = "the files' own names: question=ctx,choices=endings,answer=label",
                    .group = group});
  fields.push_back({.name = "task-format",
                    .target = &c.task_format,
                    .help = "how a question is put",
                    .group = group,
                    .choices = {"chat", "plain"}});
  fields.push_back({.name = "answer-pattern",
                    .target = &c.answer_pattern,
                    .help = "regular expression that finds the answer in what was said",
                    .group = group});
  fields.push_back({.name = "answer-tokens",
                    .target = &c.answer_tokens,
                    .help = "longest answer to a {prompt, answer} question",
                    .group = group,
                    .minimum = 1,
                    .maximum = 1 << 20});
}

}  // namespace

Fields describe(Config& config) {
  Fields fields;
  describe_input(config, fields);
  describe_methods(config, fields);
  describe_choice(config, fields);
  describe_tasks(config, fields);
  return fields;
}

void check(const Config& config) {
  if (config.output.empty()) fail(ErrorKind::kUserInput, "--output is empty; name a folder");
  if (config.methods.empty())
    fail(ErrorKind::kUserInput, "--methods is empty; name some, such as lora,dora");
  std::vector<std::string> sorted = config.methods;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    fail(ErrorKind::kUserInput, "--methods: '{}' stands there twice", *twice);
  if (config.goal == "task" && config.task.empty())
    fail(ErrorKind::kUserInput, "--goal task needs a --task to judge by");
  read_constraints(config.constraint);
}

}  // namespace toolkit::compare
