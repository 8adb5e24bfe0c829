#include "projects/evaluate/config.h"

#include "core/base/error.h"

namespace toolkit::evaluate {

namespace {

void describe_input(Config& c, Fields& fields) {
  const std::string group = "Input";
  fields.push_back({.name = "model",
                    .target = &c.model,
                    .help = "folder, .gguf file or sample://smollm2-135m",
                    .group = group,
                    .short_name = "m",
                    .required = true});
  fields.push_back({.name = "data",
                    .target = &c.data,
                    .help = "rows whose loss is measured: a .jsonl file, or a folder with "
                            "test.jsonl (else valid.jsonl); .json, .csv, .tsv and .parquet too",
                    .group = group,
                    .short_name = "d"});
  fields.push_back({.name = "columns",
                    .target = &c.columns,
                    .help = "the file's own names: prompt=question,completion=answer.text",
                    .group = group});
  fields.push_back({.name = "split",
                    .target = &c.split,
                    .help = "which file of a folder; auto: test, else valid, else train",
                    .group = group,
                    .choices = {"auto", "train", "valid", "test"}});
  fields.push_back({.name = "adapter",
                    .target = &c.adapter,
                    .help = "folder that finetune wrote; base and tuned model are compared",
                    .group = group,
                    .short_name = "a"});
  fields.push_back({.name = "without-base",
                    .target = &c.without_base,
                    .help = "judge the tuned model alone",
                    .group = group});
  fields.push_back({.name = "limit",
                    .target = &c.limit,
                    .help = "only the first N rows and questions; 0: all",
                    .group = group,
                    .minimum = 0});
}

void describe_tasks(Config& c, Fields& fields) {
  const std::string group = "Tasks";
  fields.push_back({.name = "task",
                    .target = &c.task,
                    .help =
                        "files of questions: {question, choices, answer} is multiple choice, "
                        "{prompt, answer} asks for the same text, of {prompt, chosen, rejected} "
                        "the chosen answer is the right one",
                    .group = group,
                    .short_name = "t"});
  fields.push_back({.name = "task-columns",
                    .target = &c.task_columns,
                    .help = "the files' own names: question=ctx,choices=endings,answer=label",
                    .group = group});
  fields.push_back({.name = "task-format",
                    .target = &c.task_format,
                    .help = "how a question is put: chat as the user's turn; plain as it stands, "
                            "a space before each choice (lm-evaluation-harness without template)",
                    .group = group,
                    .choices = {"chat", "plain"}});
  fields.push_back({.name = "answer-tokens",
                    .target = &c.answer_tokens,
                    .help = "longest answer to a {prompt, answer} question and of --samples",
                    .group = group,
                    .minimum = 1,
                    .maximum = 1 << 20});
  fields.push_back({.name = "answer-pattern",
                    .target = &c.answer_pattern,
                    .help = "regular expression that finds the answer in what was said (its first "
                            "group): 'answer is (\\d+)'",
                    .group = group});
  fields.push_back({.name = "ignore-case",
                    .target = &c.ignore_case,
                    .help = "answers may differ in capital letters",
                    .group = group});
  fields.push_back({.name = "ignore-punctuation",
                    .target = &c.ignore_punctuation,
                    .help = "answers may differ in punctuation",
                    .group = group});
}

void describe_output(Config& c, Fields& fields) {
  const std::string group = "Output";
  fields.push_back({.name = "samples",
                    .target = &c.samples,
                    .help = "show what base and tuned model answer to the first N rows of --data",
                    .group = group,
                    .minimum = 0,
                    .maximum = 1000});
  fields.push_back({.name = "details",
                    .target = &c.details,
                    .help = "write the result of every row and question into this .jsonl file",
                    .group = group});
}

void describe_run(Config& c, Fields& fields) {
  const std::string group = "Run";
  fields.push_back({.name = "max-length",
                    .target = &c.max_length,
                    .help = "longer rows are cut to this many tokens",
                    .group = group,
                    .minimum = 8,
                    .maximum = 1 << 22});
  fields.push_back({.name = "batch-tokens",
                    .target = &c.batch_tokens,
                    .help = "tokens computed at a time; rows are packed until it is full",
                    .group = group,
                    .minimum = 16,
                    .maximum = 1 << 22});
  fields.push_back({.name = "compute",
                    .target = &c.compute,
                    .help = "arithmetic of the linear layers: f32 is exact, int8 faster with a "
                            "loss within 1 % where measured, auto measures",
                    .group = group,
                    .choices = {"auto", "f32", "bf16", "int8"}});
  fields.push_back({.name = "base-bits",
                    .target = &c.base_bits,
                    .help = "pack the base to 4 or 8 bits first, as finetune --method qlora does "
                            "with 4; 0: as it is",
                    .group = group,
                    .minimum = 0,
                    .maximum = 8});
  fields.push_back({.name = "quantize-group",
                    .target = &c.quantize_group,
                    .help = "with --base-bits: weights that share a scale: 32, 64 or 128",
                    .group = group,
                    .minimum = 32,
                    .maximum = 128});
}

}  // namespace

Fields describe(Config& config) {
  Fields fields;
  describe_input(config, fields);
  describe_tasks(config, fields);
  describe_output(config, fields);
  describe_run(config, fields);
  return fields;
}

void check(const Config& config) {
  if (config.data.empty() && config.task.empty())
    fail(ErrorKind::kUserInput,
         "nothing to judge by: give --data for loss and perplexity, --task "
         "for questions, or both");
  if (config.without_base && config.adapter.empty())
    fail(ErrorKind::kUserInput, "--without-base leaves nothing to judge; give --adapter too");
  if (config.samples > 0 && config.data.empty())
    fail(ErrorKind::kUserInput, "--samples asks the rows of --data, and there is none");
  if (config.base_bits != 0 && config.base_bits != 4 && config.base_bits != 8)
    fail(ErrorKind::kUserInput, "--base-bits {}: expected 0, 4 or 8", config.base_bits);
  const int group = config.quantize_group;
  if (group != 32 && group != 64 && group != 128)
    fail(ErrorKind::kUserInput, "--quantize-group {}: expected 32, 64 or 128", group);
}

}  // namespace toolkit::evaluate
