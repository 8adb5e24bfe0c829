// Many requests at once through engine/batch, with prompts that share a system prompt: generated
// tokens per second, time to the first token, and how much of the prompts was remembered.
//   bench_batch MODEL [--sequences N] [--requests N] [--cache-bytes N] [--speculate N]
//               [--adapters FOLDER,FOLDER,...]

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/tensor/backend.h"
#include "engine/batch/batch_engine.h"

namespace {

using namespace toolkit;
using Clock = std::chrono::steady_clock;

struct Settings {
  std::string model = "sample://smollm2-135m";
  int sequences = 16, requests = 32, speculate = 0;
  long cache_bytes = 1L << 30;
  std::vector<std::string> adapters;
};

Settings settings_of(int argc, char** argv) {
  Settings settings;
  if (argc > 1) settings.model = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--sequences") settings.sequences = std::atoi(value.c_str());
    if (name == "--requests") settings.requests = std::atoi(value.c_str());
    if (name == "--speculate") settings.speculate = std::atoi(value.c_str());
    if (name == "--cache-bytes") settings.cache_bytes = std::atol(value.c_str());
    if (name == "--adapters") {
      for (size_t at = 0; at <= value.size();) {
        const size_t end = std::min(value.find(',', at), value.size());
        settings.adapters.push_back(value.substr(at, end - at));
        at = end + 1;
      }
    }
  }
  return settings;
}

/// A system prompt of 80 tokens that all share, then 20 to 520 of their own; 64 to 256 to say.
std::vector<engine::BatchRequest> requests_of(const Settings& settings) {
  std::vector<engine::BatchRequest> requests;
  for (int i = 0; i < settings.requests; ++i) {
    engine::BatchRequest request;
    for (int t = 0; t < 80; ++t) request.prompt.push_back(1000 + 13 * t % 997);
    const int own = 20 + 500 * (i * 7 % 16) / 15;
    for (int t = 0; t < own; ++t) request.prompt.push_back(2000 + (t * 31 + i * 101) % 20000);
    request.max_tokens = 64 + 192 * (i * 5 % 16) / 15;
    request.ignore_stop_ids = true;
    request.sampling = {.temperature = 0.8, .top_p = 0.95, .seed = static_cast<uint64_t>(i)};
    if (!settings.adapters.empty())
      request.adapter = "a" + std::to_string(static_cast<size_t>(i) % settings.adapters.size());
    requests.push_back(request);
  }
  return requests;
}

struct Outcome {
  Clock::time_point begun, first;
  engine::BatchFigures figures;
};

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
}

/// As many clients as sequences; each sends its next request when the last one is answered.
void run(engine::BatchEngine& engine, const std::vector<engine::BatchRequest>& requests,
         int clients) {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<size_t, Outcome> outcomes;
  size_t next = 0, ended = 0;
  const auto begun = Clock::now();
  std::unique_lock lock(mutex);
  while (ended < requests.size()) {
    while (next < requests.size() && next - ended < static_cast<size_t>(clients)) {
      const size_t which = next++;
      outcomes[which].begun = Clock::now();
      engine.submit(requests[which], [&, which](const engine::BatchEvent& event) {
        const std::lock_guard inner(mutex);
        Outcome& outcome = outcomes[which];
        if (outcome.first == Clock::time_point{}) outcome.first = Clock::now();
        outcome.figures = event.figures;
        if (event.finish) ++ended;
        changed.notify_all();
      });
    }
    changed.wait(lock);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  int made = 0, prompt = 0, cached = 0;
  std::vector<double> first, each;
  for (const auto& [which, outcome] : outcomes) {
    made += outcome.figures.generated_tokens;
    prompt += outcome.figures.prompt_tokens;
    cached += outcome.figures.cached_tokens;
    first.push_back(std::chrono::duration<double>(outcome.first - outcome.begun).count());
    each.push_back((outcome.figures.generated_tokens - 1) / outcome.figures.generation_seconds);
  }
  std::printf(
      "%d clients: %.1f generated tokens/s, %.1f prompt tokens/s (%d of %d remembered), first "
      "token "
      "p50 %.3f s p95 %.3f s, one client %.1f tokens/s\n",
      clients, made / seconds, prompt / seconds, cached, prompt, percentile(first, 0.5),
      percentile(first, 0.95), percentile(each, 0.5));
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = settings_of(argc, argv);
  tensor::initialize();
  engine::BatchEngine engine(engine::load_language_model(settings.model, tensor::Compute::kFloat32),
                             {.max_sequences = settings.sequences,
                              .cache_bytes = settings.cache_bytes,
                              .speculate_tokens = settings.speculate});
  for (size_t i = 0; i < settings.adapters.size(); ++i)
    engine.load_adapter("a" + std::to_string(i), settings.adapters[i]);
  run(engine, requests_of(settings), settings.sequences);
  const engine::BatchState state = engine.state();
  std::printf("steps %llu, cache %.0f MB, drafts %llu of which right %llu\n",
              static_cast<unsigned long long>(state.steps),
              static_cast<double>(state.cache_bytes_used) / 1e6,
              static_cast<unsigned long long>(state.draft_tokens),
              static_cast<unsigned long long>(state.accepted_draft_tokens));
  return 0;
}
