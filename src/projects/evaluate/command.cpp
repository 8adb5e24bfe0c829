#include "projects/evaluate/command.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "core/report/run_log.h"
#include "core/report/table.h"
#include "projects/evaluate/run.h"

namespace toolkit::evaluate {

namespace {

nlohmann::json estimate_json(const engine::Estimate& estimate) {
  return {{"value", estimate.value}, {"low", estimate.low}, {"high", estimate.high}};
}

nlohmann::json to_json(const Config& config, const Result& result) {
  const auto quality = [](const Quality& q) {
    return nlohmann::json{{"loss", q.loss.value},
                          {"loss_interval", {q.loss.low, q.loss.high}},
                          {"perplexity", q.perplexity.value},
                          {"perplexity_interval", {q.perplexity.low, q.perplexity.high}}};
  };
  nlohmann::json json = {{"model", config.model},
                         {"split", result.split},
                         {"compute", config.compute},
                         {"rows", result.rows},
                         {"truncated_rows", result.truncated_rows},
                         {"left_out_rows", result.left_out_rows},
                         {"tokens", result.tokens},
                         {"supervised_tokens", result.supervised_tokens},
                         {"seconds", result.seconds},
                         {"tokens_per_second", result.tokens_per_second},
                         {"base", quality(result.model)}};
  const Quality& final = result.tuned ? *result.tuned : result.model;
  json["loss"] = final.loss.value;
  json["perplexity"] = final.perplexity.value;
  if (result.tuned) {
    json["adapter"] = config.adapter;
    json["tuned"] = quality(*result.tuned);
    json["loss_reduction"] = estimate_json(*result.reduction);
  }
  return json;
}

std::string with_interval(const engine::Estimate& estimate, int digits) {
  return fmt::format("{:.{}f}  ({:.{}f} .. {:.{}f})", estimate.value, digits, estimate.low, digits,
                     estimate.high, digits);
}

std::string to_page(const Config& config, const Result& result) {
  report::Table table{.header = {"", "loss per token (95 %)", "perplexity (95 %)"}};
  const auto add = [&](const char* name, const Quality& quality) {
    table.rows.push_back(
        {name, with_interval(quality.loss, 4), with_interval(quality.perplexity, 2)});
  };
  add(result.tuned ? "base" : "model", result.model);
  if (result.tuned) add("tuned", *result.tuned);
  std::string page = fmt::format(
      "{} on {}: {} rows, {} supervised of {} tokens, {:.0f} tokens/s\n\n", config.model,
      result.split, result.rows, result.supervised_tokens, result.tokens, result.tokens_per_second);
  page += report::to_text(table);
  if (result.reduction) {
    const engine::Estimate& gain = *result.reduction;
    const char* verdict = gain.low > 0.0    ? "the adapter helps"
                          : gain.high < 0.0 ? "the adapter hurts"
                                            : "no clear difference";
    page += fmt::format("\nloss lower by {}: {}\n", with_interval(gain, 4), verdict);
  }
  if (result.truncated_rows > 0)
    page += fmt::format("{} rows were cut to --max-length\n", result.truncated_rows);
  if (result.left_out_rows > 0)
    page += fmt::format("{} rows were left out: no answer to judge by\n", result.left_out_rows);
  return page;
}

}  // namespace

cli::Command evaluate_command() {
  const auto config = std::make_shared<Config>();
  return {.name = "evaluate",
          .summary = "loss and perplexity on a file, base against tuned",
          .description =
              "Judges by the assistant's words only, each once. The interval says what "
              "another set of such rows would give in 95 of 100 cases; the difference of base "
              "and tuned is taken row by row.",
          .examples = {"mlx-toolkit evaluate -m sample://smollm2-135m -d examples/data/dictionary",
                       "mlx-toolkit evaluate -m sample://smollm2-135m -d examples/data/dictionary "
                       "--adapter my-adapter",
                       "mlx-toolkit evaluate -m ./model -d rows.jsonl --limit 100 --json"},
          .fields = describe(*config),
          .run = [config](const cli::Context& context) {
            const auto log = report::open_run({.kind = "evaluate"}).log;
            log->parameters(nlohmann::json::parse(fields_to_json(describe(*config))));
            const Result result = run(*config, context.quiet);
            if (!context.json && !context.quiet) fmt::print("{}", to_page(*config, result));
            nlohmann::json json = to_json(*config, result);
            log->finish("succeeded", json);
            return json;
          }};
}

}  // namespace toolkit::evaluate
