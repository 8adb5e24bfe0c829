#include "projects/compare/entry.h"

#include <cmath>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "engine/trials/child_run.h"

namespace toolkit::compare {

namespace {

using trials::number_in;

constexpr Entry::State kStates[] = {Entry::State::kMeasured, Entry::State::kFailed,
                                    Entry::State::kTooSlow, Entry::State::kSkipped};

void take_quality(const Json& evaluated, const std::string& who, Entry& entry) {
  const Json quality = evaluated.value(who, Json::object());
  entry.loss.value = number_in(quality, "loss");
  if (const auto interval = quality.find("loss_interval"); interval != quality.end())
    entry.loss = {.value = entry.loss.value, .low = interval->at(0), .high = interval->at(1)};
  for (const Json& task : evaluated.value("tasks", Json::array())) {
    for (const auto& [metric, score] : task.at(who).items())
      entry.tasks.push_back({.task = task.at("task"),
                             .metric = metric,
                             .score = {.value = score.at("value"), .error = score.at("error")}});
  }
}

void take_rows(const std::filesystem::path& file, const std::string& who, Entry& entry) {
  const std::string text = read_file(file);
  std::string first_task;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const Json line = parse_json(text.substr(begin, end - begin), file.string());
    begin = end + 1;
    const Json& mine = line.at(who);
    if (line.contains("row")) {
      entry.rows.push_back({.sum = mine.at("loss_sum"), .tokens = mine.at("tokens")});
      continue;
    }
    const std::string task = line.at("task");
    if (first_task.empty()) first_task = task;
    if (task == first_task) entry.task_correct.push_back(mine.at("correct").get<bool>() ? 1 : 0);
  }
}

}  // namespace

const char* state_name(Entry::State state) {
  switch (state) {
    case Entry::State::kMeasured:
      return "measured";
    case Entry::State::kFailed:
      return "failed";
    case Entry::State::kTooSlow:
      return "too_slow";
    case Entry::State::kSkipped:
      return "skipped";
  }
  return "";
}

Entry read_entry(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "measured.json";
  const Json json = parse_json(read_file(file), file.string());
  Entry entry;
  try {
    entry.method = json.at("method");
    entry.run = json.at("run");
    entry.reason = json.at("reason");
    for (const Entry::State state : kStates)
      if (json.at("state") == state_name(state)) entry.state = state;
    entry.seconds = number_in(json, "seconds");
    entry.adapter_bytes = number_in(json, "adapter_bytes");
    entry.planned_bytes = number_in(json, "planned_bytes");
    const Json& trained = json.at("finetune");
    entry.tokens_per_second = number_in(trained, "tokens_per_second");
    entry.peak_bytes = number_in(trained, "peak_rss_bytes");
    if (std::isnan(entry.planned_bytes)) entry.planned_bytes = number_in(trained, "planned_bytes");
    entry.trainable_parameters = number_in(trained, "trainable_parameters");
    entry.tokens = number_in(trained, "tokens");
    entry.loss.value = NAN;
    if (entry.measured()) {
      const std::string who = entry.method == "base" ? "base" : "tuned";
      take_quality(json.at("evaluate"), who, entry);
      take_rows(folder / "rows.jsonl", who, entry);
    }
  } catch (const Json::exception& error) {
    fail(ErrorKind::kUserInput, "{}: not a measurement of compare: {}", file.string(),
         error.what());
  }
  return entry;
}

}  // namespace toolkit::compare
