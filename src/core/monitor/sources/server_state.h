#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace toolkit::monitor {

/// How well a speed is known, best last.
enum class Quality {
  kUnknown,    // something is generated, nobody says how fast
  kEstimated,  // from something else that moves with it
  kLive,       // counted by us or the server while it runs
  kExact,      // the server's own figure of a finished answer
};
const char* quality_name(Quality quality);  // "unknown", "estimated", "live", "exact"

/// By which way a request was seen; the more precise first.
enum class Way { kSlots, kMetrics, kProxy, kLog, kHint };
const char* way_name(Way way);  // "slots", "metrics", "proxy", "log", "hint"

/// A model in a server's memory.
struct LoadedModel {
  std::string name, parameters, quantization;    // "smollm2:135m", "135M", "Q4_K_M"; "" unknown
  std::optional<int64_t> size_bytes, gpu_bytes;  // in all, and of it in a GPU's memory
  std::optional<int64_t> context_length;
  std::optional<int64_t> expires_at_s;  // when the server unloads it, seconds since 1970
};

/// A request that is running, as one way shows it.
struct RunningRequest {
  std::string id, model, server;  // `server`: URL of who computes
  Way way = Way::kHint;
  Quality quality = Quality::kUnknown;
  bool reading_prompt = false;
  std::optional<int64_t> prompt_tokens, tokens;
  std::optional<double> tokens_per_second;
};

/// A request that has ended since the last look.
struct FinishedRequest {
  std::string model, server;
  Way way = Way::kHint;
  Quality quality = Quality::kUnknown;
  int64_t tokens = 0;
  std::optional<double> tokens_per_second;
};

enum class ServerKind { kUnknown, kOllama, kToolkit, kLlamaServer, kProxy };
const char* server_kind_name(ServerKind kind);  // "Ollama", "mlx-toolkit", "llama-server", ...

/// Why a server is not reachable.
enum class Failure {
  kNone,
  kAbsent,   // nothing listens there
  kSlow,     // it takes connections and does not answer in time
  kStatus,   // it answers with an HTTP error
  kForeign,  // it answers as another program does
};

/// What one look at a server brought.
struct ServerState {
  std::string url;
  ServerKind kind = ServerKind::kUnknown;
  bool reachable = false;
  std::string version, trouble;  // `trouble`: why it is not reachable or not understood
  std::string log_trouble;       // why its log tells nothing, "" while it may
  Failure failure = Failure::kNone;
  int failures = 0;  // looks in a row that failed
  std::vector<LoadedModel> models;
  std::vector<RunningRequest> running;
  std::vector<FinishedRequest> finished;  // since the look before
};

/// Requests of all servers with each request once: of the ways that show requests of one model at
/// one server the one that sees most of them counts, of equal ones the most precise.
std::vector<RunningRequest> merged(const std::vector<RunningRequest>& requests);

/// Sum of the known speeds, with the weakest quality of them; no value when none is known.
struct Speed {
  std::optional<double> tokens_per_second;
  Quality quality = Quality::kUnknown;
};
Speed total_speed(const std::vector<RunningRequest>& requests);

}  // namespace toolkit::monitor
