#pragma once

#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/monitor/sources/server_state.h"

namespace toolkit::monitor {

/// Where `mlx-dash proxy` answers for itself; every other path goes to the server behind it.
inline constexpr const char* kProxyPath = "/mlx-dash/requests";

/// What it answers there: counts, times and names, no text.
struct ProxyRequests {
  std::string upstream;  // URL of the server behind it
  std::vector<RunningRequest> running;
  struct Finished {
    int64_t sequence = 0;  // counts up from 1 as long as this proxy runs
    FinishedRequest request;
  };
  std::vector<Finished> finished;  // the last ones, oldest first
  std::string started;             // tells one run of a proxy from the next
};

Json to_json(const ProxyRequests& requests);
/// Throws Error(kUserInput) if it is no such answer.
ProxyRequests parse_proxy_requests(const Json& answer);

}  // namespace toolkit::monitor
