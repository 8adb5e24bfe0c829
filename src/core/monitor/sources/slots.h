#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/monitor/sources/server_state.h"
#include "core/monitor/sources/token_meter.h"

namespace toolkit::monitor {

/// One entry of llama-server's GET /slots: numbers only. Texts that a server may show there
/// (prompts, answers) are never read.
struct Slot {
  int64_t id = 0, task = -1;
  bool is_processing = false;
  int64_t context_length = 0, prompt_tokens = 0, decoded_tokens = 0;
  int64_t held_tokens = 0;  // of prompt and answer together, in newer builds; 0: not told
};

/// Entries that are none are left out; `next_token` is an object in older builds, a list in newer.
std::vector<Slot> slots_of(const Json& answer);

/// Live speeds of a server's slots from look to look.
class SlotMeter {
 public:
  SlotMeter(std::string server, std::string id_prefix)
      : server_(std::move(server)), id_prefix_(std::move(id_prefix)) {}
  /// Adds to `state` what runs, and what has ended since the look before.
  void look(double time_s, const std::vector<Slot>& slots, const std::string& model,
            ServerState& state);

 private:
  struct Task {
    TokenMeter meter;
    std::string model;
    double first_s = 0, last_s = 0;  // of the looks at which tokens had come
    int64_t first_tokens = 0, last_tokens = 0;
    int64_t base_tokens = 0;  // held beside the answer's
    int64_t end_tokens = 0;   // as the slot shows it when it is done
  };
  static void note_end(double time_s, const Slot& slot, Task& task);
  void finish(const Task& task, ServerState& state) const;

  std::string server_, id_prefix_;
  std::map<std::pair<int64_t, int64_t>, Task> tasks_;  // by slot and task
};

}  // namespace toolkit::monitor
