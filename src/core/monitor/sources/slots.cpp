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
                     .prompt_tokens = std::max(whole(entry, "n_prompt_tokens_processed"),
                                               whole(entry, "n_prompt_tokens")),
                     .decoded_tokens = std::max<int64_t>(0, decoded(entry))});
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
      // A slot that is done still shows the last count of its task.
      if (known != tasks_.end()) known->second.meter.add(time_s, slot.decoded_tokens);
      continue;
    }
    Task task = known != tasks_.end() ? std::move(known->second) : Task();
    if (known != tasks_.end()) tasks_.erase(known);
    task.model = model;
    task.meter.add(time_s, slot.decoded_tokens);
    if (slot.decoded_tokens > 0) {
      if (task.first_s == 0) task.first_s = time_s, task.first_tokens = slot.decoded_tokens;
      task.last_s = time_s;
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

void SlotMeter::finish(const Task& task, ServerState& state) const {
  FinishedRequest request{.model = task.model,
                          .server = server_,
                          .way = Way::kSlots,
                          .quality = Quality::kLive,
                          .tokens = task.meter.last()};
  if (const double seconds = task.last_s - task.first_s; seconds > 0.2)
    request.tokens_per_second = static_cast<double>(request.tokens - task.first_tokens) / seconds;
  if (request.tokens > 0) state.finished.push_back(std::move(request));
}

}  // namespace toolkit::monitor
