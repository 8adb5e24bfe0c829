#include "core/monitor/sources/server_state.h"

#include <algorithm>
#include <map>
#include <utility>

namespace toolkit::monitor {

const char* quality_name(Quality quality) {
  constexpr const char* kNames[] = {"unknown", "estimated", "live", "exact"};
  return kNames[static_cast<int>(quality)];
}

const char* way_name(Way way) {
  constexpr const char* kNames[] = {"slots", "metrics", "proxy", "log", "hint"};
  return kNames[static_cast<int>(way)];
}

const char* server_kind_name(ServerKind kind) {
  constexpr const char* kNames[] = {"server", "Ollama", "mlx-toolkit", "llama-server",
                                    "mlx-dash proxy"};
  return kNames[static_cast<int>(kind)];
}

std::vector<RunningRequest> merged(const std::vector<RunningRequest>& requests) {
  using Place = std::pair<std::string, std::string>;
  std::map<Place, std::map<Way, std::vector<RunningRequest>>> by_place;
  for (const RunningRequest& request : requests)
    by_place[{request.server, request.model}][request.way].push_back(request);
  std::vector<RunningRequest> result;
  for (const auto& [place, ways] : by_place) {
    const auto best = std::max_element(ways.begin(), ways.end(), [](const auto& a, const auto& b) {
      return a.second.size() < b.second.size();  // of equal ones the first: the most precise way
    });
    result.insert(result.end(), best->second.begin(), best->second.end());
  }
  return result;
}

Speed total_speed(const std::vector<RunningRequest>& requests) {
  Speed speed;
  for (const RunningRequest& request : requests) {
    if (!request.tokens_per_second) continue;
    speed.quality =
        speed.tokens_per_second ? std::min(speed.quality, request.quality) : request.quality;
    speed.tokens_per_second = speed.tokens_per_second.value_or(0) + *request.tokens_per_second;
  }
  return speed;
}

}  // namespace toolkit::monitor
