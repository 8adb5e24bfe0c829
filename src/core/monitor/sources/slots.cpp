#include "core/monitor/sources/slots.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace toolkit::monitor {

namespace {

int64_t whole(const Json& object, const char* key, int64_t otherwise = 0) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) return otherwise;
  return found->get<int64_t>();
}

int64_t decoded(const Json& slot) {
  const auto next = slot.find("next_token");
  if (next == slot.end()) return whole(slot, "n_decoded");
  if (next->is_object()) return whole(*next, "n_decoded");
  if (next->is_array() && !next->empty() && next->front().is_object())
    return whole(next->front(), "n_decoded");
  return 0;
}

/// Newer builds count the answer in n_prompt_tokens, too.
int64_t prompt_tokens(const Json& slot) {
  const int64_t read =
      whole(slot, "n_prompt_tokens_processed") + whole(slot, "n_prompt_tokens_cache");
  return read > 0 ? read : whole(slot, "n_prompt_tokens");
}

}  // namespace

std::vector<Slot> slots_of(const Json& answer) {
  std::vector<Slot> slots;
  if (!answer.is_array()) return slots;
  for (const Json& entry : answer) {
    if (!entry.is_object() || !entry.contains("id")) continue;
    const auto processing = entry.find("is_processing");
    slots.push_back({.id = whole(entry, "id"),
                     .task = whole(entry, "id_task", -1),
                     .is_processing = processing != entry.end() && processing->is_boolean() &&
                                      processing->get<bool>(),
                     .context_length = whole(entry, "n_ctx"),
                     .prompt_tokens = prompt_tokens(entry),
                     .decoded_tokens = std::max<int64_t>(0, decoded(entry)),
                     .held_tokens = std::max<int64_t>(0, whole(entry, "n_prompt_tokens"))});
  }
  return slots;
}

void SlotMeter::look(double time_s, const std::vector<Slot>& slots, const std::string& model,
                     ServerState& state) {
  std::map<std::pair<int64_t, int64_t>, Task> running;
  for (const Slot& slot : slots) {
    const std::pair key{slot.id, slot.task};
    const auto known = tasks_.find(key);
    if (!slot.is_processing) {
      if (known != tasks_.end()) note_end(time_s, slot, known->second);
      continue;
    }
    Task task = known != tasks_.end() ? std::move(known->second) : Task();
    if (known != tasks_.end()) tasks_.erase(known);
    task.model = model;
    task.meter.add(time_s, slot.decoded_tokens);
    if (slot.decoded_tokens > 0) {
      if (task.first_s == 0) task.first_s = time_s, task.first_tokens = slot.decoded_tokens;
      task.last_s = time_s, task.last_tokens = slot.decoded_tokens;
      task.base_tokens = slot.held_tokens - slot.decoded_tokens;
    }
    state.running.push_back({.id = fmt::format("{}slot {} task {}", id_prefix_, slot.id, slot.task),
                             .model = model,
                             .server = server_,
                             .way = Way::kSlots,
                             .quality = Quality::kLive,
                             .reading_prompt = slot.decoded_tokens == 0,
                             .prompt_tokens = slot.prompt_tokens,
                             .tokens = slot.decoded_tokens});
    RunningRequest& request = state.running.back();
    if (slot.decoded_tokens > 0) request.tokens_per_second = task.meter.per_second();
    if (!request.tokens_per_second) request.quality = Quality::kUnknown;
    running.emplace(key, std::move(task));
  }
  for (const auto& [key, task] : tasks_) finish(task, state);
  tasks_ = std::move(running);
}

/// A slot that is done shows the count of its task in older builds; in newer ones none, but what it
/// holds. That counts as far as it can have grown since the look before.
void SlotMeter::note_end(double time_s, const Slot& slot, Task& task) {
  constexpr double kSlack = 1.5;
  const double speed = task.meter.per_second().value_or(0);
  const auto most =
      task.last_tokens + static_cast<int64_t>(kSlack * speed * (time_s - task.last_s)) + 1;
  const int64_t held = task.base_tokens > 0 ? slot.held_tokens - task.base_tokens : 0;
  const int64_t told = std::max(slot.decoded_tokens, held);
  if (told <= most) task.end_tokens = std::max(task.end_tokens, told);
}

void SlotMeter::finish(const Task& task, ServerState& state) const {
  FinishedRequest request{.model = task.model,
                          .server = server_,
                          .way = Way::kSlots,
                          .quality = Quality::kLive,
                          .tokens = std::max(task.last_tokens, task.end_tokens)};
  if (const double seconds = task.last_s - task.first_s; seconds > 0.2)
    request.tokens_per_second = static_cast<double>(task.last_tokens - task.first_tokens) / seconds;
  if (request.tokens > 0) state.finished.push_back(std::move(request));
}

}  // namespace toolkit::monitor
