#include "engine/plan/memory_plan.h"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace toolkit;
using namespace toolkit::engine;

namespace {

models::DecoderConfig smollm2() {
  models::DecoderConfig config;
  config.hidden_size = 576;
  config.intermediate_size = 1536;
  config.num_layers = 30;
  config.num_heads = 9;
  config.num_kv_heads = 3;
  config.head_dim = 64;
  config.vocabulary_size = 49152;
  return config;
}

models::DecoderConfig llama(int hidden, int middle, int layers, int heads, int kv_heads,
                            int vocabulary) {
  models::DecoderConfig config;
  config.hidden_size = hidden;
  config.intermediate_size = middle;
  config.num_layers = layers;
  config.num_heads = heads;
  config.num_kv_heads = kv_heads;
  config.head_dim = hidden / heads;
  config.vocabulary_size = vocabulary;
  return config;
}

constexpr int64_t kRankOfLayer = 7;  // branches on all linear layers

/// LoRA of SmolLM2-135M in Q4_1 as `mlx-toolkit finetune` did it, and the peak it reported.
struct Measured {
  int64_t places, supervised, trained;
  int rank;
  bool checkpoint_layers;
  tensor::Compute compute;
  int layers;
  int64_t peak_megabytes;
};

TrainingNeeds needs_of(const Measured& run) {
  const int layers = run.layers < 0 ? 30 : run.layers;
  return {.weight_bytes = 98'000'000,
          .linear_elements = 134'500'000,
          .trained_elements = run.trained,
          .trained_layers = run.layers,
          .branch_ranks = kRankOfLayer * run.rank * layers,
          .places = run.places,
          .supervised = run.supervised,
          .checkpoint_layers = run.checkpoint_layers,
          .compute = run.compute};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the plan is within 15 % of measured peaks") {
    using tensor::Compute;
    const int64_t small = 2'442'240;
    const Measured runs[] = {
        {173, 103, small, 8, false, Compute::kFloat32, -1, 424},
        {329, 188, small, 8, false, Compute::kFloat32, -1, 600},
        {634, 386, small, 8, false, Compute::kFloat32, -1, 971},
        {1278, 773, small, 8, false, Compute::kFloat32, -1, 1720},
        {634, 386, small, 8, true, Compute::kFloat32, -1, 431},
        {1278, 773, small, 8, true, Compute::kFloat32, -1, 664},
        {173, 103, small, 8, false, Compute::kInt8, -1, 720},
        {329, 188, 19'537'920, 64, false, Compute::kFloat32, -1, 829},
        {329, 188, 651'264, 8, false, Compute::kFloat32, 8, 324},
    };
    for (const Measured& run : runs) {
      const double planned =
          static_cast<double>(plan_memory(smollm2(), needs_of(run)).total()) / 1e6;
      CAPTURE(run.peak_megabytes);
      CAPTURE(planned);
      CHECK(std::abs(planned / static_cast<double>(run.peak_megabytes) - 1) < 0.15);
    }
  }

  TEST_CASE("the plan of models of other shapes is within 15 % of measured peaks") {
    // LoRA of rank 8 on models of tests/training/memory.py.
    const models::DecoderConfig wide = llama(1024, 2816, 6, 16, 16, 2048);
    const models::DecoderConfig narrow = llama(256, 1024, 16, 4, 2, 4096);
    struct {
      const models::DecoderConfig& model;
      int64_t weight_bytes, trained, places;
      bool checkpoint_layers;
      int64_t peak_megabytes;
    } const runs[] = {{wide, 158'000'000, 950'000, 141, false, 329},
                      {wide, 158'000'000, 950'000, 412, false, 512},
                      {wide, 158'000'000, 950'000, 863, false, 832},
                      {wide, 158'000'000, 950'000, 1773, false, 1515},
                      {wide, 158'000'000, 950'000, 1773, true, 987},
                      {narrow, 67'000'000, 700'000, 863, false, 470},
                      {narrow, 67'000'000, 700'000, 863, true, 254}};
    for (const auto& run : runs) {
      const double planned =
          static_cast<double>(plan_memory(run.model, {.weight_bytes = run.weight_bytes,
                                                      .trained_elements = run.trained,
                                                      .branch_ranks = 7 * 8 * run.model.num_layers,
                                                      .places = run.places,
                                                      .supervised = run.places * 4 / 5,
                                                      .checkpoint_layers = run.checkpoint_layers})
                                  .total()) /
          1e6;
      CAPTURE(run.peak_megabytes);
      CAPTURE(planned);
      CHECK(std::abs(planned / static_cast<double>(run.peak_megabytes) - 1) < 0.15);
    }
  }

  TEST_CASE("the total is the sum of the named parts") {
    const MemoryPlan plan = plan_memory(
        smollm2(), {.weight_bytes = 1000, .trained_elements = 10, .places = 64, .supervised = 32});
    int64_t sum = 0;
    for (const auto& [name, bytes] : plan.parts()) sum += bytes;
    CHECK(sum == plan.total());
    CHECK(plan.weights == 1000);
  }

  TEST_CASE("what layers put out is kept where a length per output learns") {
    TrainingNeeds needs{.branch_ranks = kRankOfLayer * 8 * 30, .places = 1000};
    const int64_t lora = plan_memory(smollm2(), needs).activations;
    needs.learns_lengths = true;
    const int64_t outputs = 576 + 192 + 2 * 576;  // of q, k, attention and the middle
    CHECK(static_cast<double>(plan_memory(smollm2(), needs).activations - lora) ==
          doctest::Approx(0.92 * 4 * 1000 * 30 * outputs));
  }

  TEST_CASE("full fine-tuning holds values only once") {
    TrainingNeeds needs{.weight_bytes = 4000, .trained_elements = 1000, .places = 64};
    const int64_t branches = plan_memory(smollm2(), needs).trained;
    needs.trains_weights = true;
    CHECK(plan_memory(smollm2(), needs).trained == branches - 4000);
  }
}
