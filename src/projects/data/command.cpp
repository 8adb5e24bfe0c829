#include "projects/data/command.h"

#include <fmt/format.h>

#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/data/samples.h"
#include "projects/data/config.h"
#include "projects/data/model_text.h"
#include "projects/data/page.h"
#include "projects/data/survey.h"

namespace toolkit::data_check {
namespace {

Survey survey_of(const Config& config, const cli::Context& context) {
  const data::Columns columns(config.columns);
  if (config.model.empty())
    return make_survey(config.path, columns, config.max_length, {}, context.quiet);
  const ModelText model = load_model_text(config.model);
  const Tokenize tokenize = [&](const data::Row& row) {
    return data::make_sample(row, *model.tokenizer, model.chat, model.eos_id,
                             std::numeric_limits<int>::max());
  };
  return make_survey(config.path, columns, config.max_length, tokenize, context.quiet);
}

nlohmann::json check(const Config& config, const cli::Context& context) {
  const Survey survey = survey_of(config, context);
  if (!context.json && !context.quiet) fmt::print("{}", check_page(survey, config.show));
  nlohmann::json result = to_json(survey);
  int rows = 0;
  for (const SplitSurvey& split : survey.splits) rows += split.rows;
  result["model"] = config.model;
  result["ok"] = survey.unusable() == 0 && rows > 0;
  return result;
}

nlohmann::json stats(const Config& config, const cli::Context& context) {
  const Survey survey = survey_of(config, context);
  if (!context.json && !context.quiet) fmt::print("{}", stats_page(survey));
  nlohmann::json result = to_json(survey);
  result["model"] = config.model;
  return result;
}

cli::Command check_command() {
  const auto config = std::make_shared<Config>();
  return {
      .name = "check",
      .summary = "find rows that training cannot use, with their lines",
      .description =
          "Reads messages, prompt/completion, text, alpaca, ShareGPT or preference rows and "
          "reports bad, "
          "empty, "
          "cut and double rows. Ends with exit code 1 when a row cannot be used; rows that are cut "
          "or stand twice are only reported.",
      .examples =
          {"mlx-toolkit data check examples/data/dictionary --model sample://smollm2-135m",
           "mlx-toolkit data check rows.jsonl -m ./Qwen3-0.6B --max-length 512",
           "mlx-toolkit data check rows.parquet --columns prompt=question,completion=answer",
           "mlx-toolkit data check rows.jsonl --json  # every bad line, for a script"},
      .fields = describe(*config),
      .run = [config](const cli::Context& context) { return check(*config, context); }};
}

cli::Command stats_command() {
  const auto config = std::make_shared<Config>();
  return {
      .name = "stats",
      .summary = "how long rows are, how much is learned, how well they pack",
      .examples = {"mlx-toolkit data stats examples/data/dictionary --model sample://smollm2-135m"},
      .fields = describe(*config),
      .run = [config](const cli::Context& context) { return stats(*config, context); }};
}

}  // namespace

cli::Command data_command() {
  return {.name = "data",
          .summary = "look at a data set before training on it",
          .examples = {"mlx-toolkit data check examples/data/dictionary",
                       "mlx-toolkit data stats rows.jsonl --model ./Qwen3-0.6B"},
          .subcommands = {check_command(), stats_command()}};
}

}  // namespace toolkit::data_check
