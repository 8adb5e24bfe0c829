#include "projects/finetune/page.h"

#include <fmt/format.h>

#include <cmath>

#include "core/base/progress_line.h"

namespace toolkit::finetune {

namespace {

// 214003 -> "214,003"
std::string grouped(int64_t number) {
  std::string text = std::to_string(number);
  for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3) text.insert(at, ",");
  return text;
}

std::string line(const std::string& name, const std::string& value) {
  return fmt::format("  {:<17}{}\n", name, value);
}

// Long texts of the sample stay one readable paragraph.
std::string shortened(const std::string& text, size_t limit = 240) {
  std::string flat;
  for (char c : text) flat += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
  if (flat.size() <= limit) return flat;
  size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(flat[end]) & 0xC0) == 0x80) --end;
  return flat.substr(0, end) + " ...";
}

// Of DPO and ORPO: how often the better answer wins on the validation pairs.
std::string preferences(const Result& result) {
  const engine::Metrics &before = result.training.validation_metrics_before,
                        &after = result.metrics_of_adapter;
  const auto percent = [](const engine::Metrics& metrics, const char* name) {
    const auto found = metrics.find(name);
    return found == metrics.end() ? 0.0 : 100 * found->second;
  };
  return line("validation loss",
              fmt::format("{:.4f} -> {:.4f}   ({}, {} pairs)",
                          result.training.validation_loss_before, result.loss_of_adapter,
                          result.objective, grouped(result.valid_rows))) +
         line("chosen likelier", fmt::format("{:.1f} % -> {:.1f} % of the validation pairs",
                                             percent(before, "ranking_accuracy"),
                                             percent(after, "ranking_accuracy"))) +
         line(
             "reward",
             fmt::format("higher for the chosen answer in {:.1f} %, by {:.2f} on average",
                         percent(after, "reward_accuracy"), percent(after, "reward_margin") / 100));
}

std::string numbers(const Result& result) {
  const engine::TrainingSummary& t = result.training;
  std::string page;
  if (t.validated && !t.interrupted && result.objective != "sft")
    page += preferences(result);
  else if (t.validated && !t.interrupted)
    page += line("validation loss",
                 fmt::format("{:.4f} -> {:.4f}   (perplexity {:.2f} -> {:.2f})",
                             t.validation_loss_before, result.loss_of_adapter,
                             std::exp(t.validation_loss_before), std::exp(result.loss_of_adapter)));
  page += line("speed",
               fmt::format("{:.0f} tokens/s   ({} tokens, {} of them supervised, {} steps, {})",
                           t.tokens_per_second, grouped(t.tokens), grouped(t.supervised_tokens),
                           grouped(t.steps), shown_duration(result.total_seconds)));
  if (const int batches = result.accumulate * result.processes; batches > 1)
    page +=
        line("effective batch",
             fmt::format("{:.0f} tokens a step   ({} batches{}, {})",
                         static_cast<double>(t.tokens) / static_cast<double>(t.steps), batches,
                         result.processes > 1 ? fmt::format(" on {} processes", result.processes)
                                              : std::string(),
                         result.optimizer));
  if (result.shared_prefix > 0)
    page +=
        line("shared beginning",
             fmt::format("{} tokens of every row, computed once for a batch: {} instead of {:.0f} "
                         "tokens a step",
                         result.shared_prefix, grouped(result.computed_tokens_per_step),
                         static_cast<double>(t.tokens) / static_cast<double>(t.steps)));
  page +=
      line("peak memory",
           fmt::format(
               "{:.2f} GB{}, {:.2f} planned   (compute {}, batches {:.0f} % full)",
               static_cast<double>(result.peak_device_bytes.value_or(result.peak_rss_bytes)) / 1e9,
               result.peak_device_bytes ? " on the GPU" : "",
               static_cast<double>(result.memory.plan.total()) / 1e9, result.compute,
               100 * result.filled_share));
  page += line("adapter", fmt::format("{}   ({}{}, {} parameters)", result.adapter.string(),
                                      result.objective == "sft" ? "" : result.objective + ", ",
                                      result.method, grouped(result.trainable_parameters)));
  if (!result.model.empty()) page += line("model", result.model.string());
  page += line("loss plot", result.plot.string());
  for (const std::string& note : result.notes) page += line("note", note);
  return page;
}

std::string sample_part(const SampleAnswer& sample) {
  return "\nOne question of the test rows\n" + line("question", shortened(sample.question)) +
         line("expected", shortened(sample.expected)) + line("base model", shortened(sample.base)) +
         line("tuned model", shortened(sample.tuned));
}

// For a shell: quotes only where they are needed.
std::string quoted(const std::string& text) {
  const bool plain =
      text.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@+,") ==
      std::string::npos;
  if (plain && !text.empty()) return text;
  std::string out = "'";
  for (char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

}  // namespace

std::string to_page(const Config& config, const Result& result) {
  const std::string model = quoted(config.model), adapter = quoted(result.adapter.string());
  if (result.training.interrupted && result.training.steps == 0)
    return "\nStopped before the first step; nothing was changed.\n";
  if (result.training.interrupted)
    return fmt::format(
        "\nStopped at step {} of {}; everything is saved in {}.\n{}\nGo on with\n"
        "  mlx-toolkit finetune --config {}/settings.json --resume\n",
        result.training.steps, result.total_steps, result.adapter.string(), numbers(result),
        adapter);
  std::string page =
      fmt::format("\nFine-tuned {} on {}\n{}", config.model, config.data, numbers(result));
  if (result.sample) page += sample_part(*result.sample);
  const std::string question =
      result.sample ? shortened(result.sample->question, 60) : "Say hello.";
  if (!result.model.empty())
    return page + fmt::format(
                      "\nTry next\n"
                      "  mlx-toolkit chat --model {0}\n"
                      "  mlx-toolkit generate --model {0} --prompt {1}\n"
                      "  mlx-toolkit export --format gguf --model {0} --output model.gguf\n",
                      quoted(result.model.string()), quoted(question));
  page += fmt::format(
      "\nTry next\n"
      "  mlx-toolkit chat --model {0} --adapter {1}\n"
      "  mlx-toolkit generate --model {0} --adapter {1} --prompt {2}\n"
      "  mlx-toolkit evaluate --model {0} --adapter {1} --data {3}\n",
      model, adapter, quoted(question), quoted(config.data));
  return page;
}

}  // namespace toolkit::finetune
