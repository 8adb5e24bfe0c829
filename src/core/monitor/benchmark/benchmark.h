#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/monitor/history/history.h"
#include "core/platform/sensors/sensors.h"

namespace toolkit::monitor {

struct BenchmarkOptions {
  std::string url;    // of Ollama, or of a server with OpenAI's API
  std::string model;  // "" : the loaded one, else the first the server has
  int prompts = 10;
  int tokens = 64;      // of an answer, at most
  double seconds = 50;  // answers are made shorter when the ten would take longer
};

/// One prompt, answered. Times by our clock from sending to the first piece and to the end.
struct PromptResult {
  std::string name;
  int64_t tokens = 0;
  double latency_s = 0, first_token_s = 0;
  std::optional<double>
      tokens_per_second;  // the server's figure, else between first and last piece
  bool is_exact = false;  // it is the server's
};

struct BenchmarkResult {
  std::string model, server;
  bool is_ollama = false;
  std::vector<PromptResult> prompts;
  double warm_up_s = 0;
  int answer_tokens = 0;                     // limit of each answer
  double total_s = 0;                        // without the warm-up
  std::optional<double> avg_tokens_per_sec;  // all tokens by all time of generation
  double p50_latency_ms = 0, p95_latency_ms = 0, first_token_ms = 0;  // last: median
  std::optional<double> peak_memory_gb;  // of the model, as the server tells
  std::optional<double> energy_j, joules_per_token;
};

/// Told before the warm-up ("warm-up"), before each prompt (its name) and at the end ("").
struct BenchmarkStep {
  size_t done = 0, all = 0;
  std::string next;
  const PromptResult* last = nullptr;  // the prompt that was answered just now
};
using BenchmarkProgress = std::function<void(const BenchmarkStep&)>;

/// Warm-up, then the standard prompts one after another. Throws Error(kNetwork) when the server
/// does not answer, Error(kNotFound) when it lacks the model (how to get it); an interrupt is an
/// Error as everywhere in core/http. `sensors` may be null: energy is unknown then.
BenchmarkResult run_benchmark(const BenchmarkOptions& options, platform::Sensors* sensors,
                              const BenchmarkProgress& progress);

/// By the nearest-rank method; `share` in 0..1. 0 for no values.
double percentile(std::vector<double> values, double share);

BenchmarkRecord to_record(const BenchmarkResult& result, int64_t ran_at_s);
Json to_json(const PromptResult& prompt);
Json to_json(const BenchmarkResult& result);

}  // namespace toolkit::monitor
