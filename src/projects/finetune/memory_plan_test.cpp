#include "projects/finetune/memory_plan.h"

#include <doctest/doctest.h>

#include "core/base/testing.h"
#include "mlx/dtype.h"

using namespace toolkit;
using namespace toolkit::finetune;
using testing::contains;

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
  config.tied_embeddings = true;
  config.layers.resize(30);
  config.ropes.resize(1);
  config.ropes[0].frequencies.resize(32);
  return config;
}

// `longest` of 40 rows; the others have 64 tokens. The second half of a row is to be learned.
data::SampleSet rows(int longest = 64) {
  std::vector<data::Sample> samples;
  for (int i = 0; i < 40; ++i) {
    const int size = i == 0 ? longest : 64;
    data::Sample sample;
    for (int t = 0; t < size; ++t) {
      sample.ids.push_back(t == 0 ? i : t);
      sample.supervised.push_back(t >= size / 2 || (t >= 32 && t < 64));
    }
    samples.push_back(sample);
  }
  return data::SampleSet(samples);
}

// SmolLM2 in bf16, as its headers would tell.
struct Scene {
  models::Decoder blank{smollm2()};
  std::map<std::string, checkpoint::WeightForm> stored;
  data::SampleSet samples;
  tensor::Compute compute = tensor::Compute::kFloat32;
  Config config;

  explicit Scene(data::SampleSet set = rows()) : samples(std::move(set)) {
    for (const models::ModelParameter& parameter : blank.parameters())
      stored.emplace(parameter.name, checkpoint::WeightForm{parameter.shape, mx::bfloat16});
    config.model = "m", config.data = "d";
    config.batch_tokens = 1024;
  }
  PlanInput input() { return {blank, stored, samples, compute}; }
  MemoryChoice choose(int64_t limit) { return choose_for_memory(config, input(), limit); }
  std::string refusal(int64_t limit) {
    return testing::refusal_of([&] { choose(limit); }, ErrorKind::kOutOfMemory);
  }
};

std::string settings(const MemoryChoice& choice) {
  std::string text;
  for (const SettingChange& change : choice.changes) text += change.setting + "=" + change.to + " ";
  return text;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("weights, branches and batches are counted from shapes") {
    Scene scene;
    const engine::TrainingNeeds lora = training_needs(scene.config, scene.input());
    CHECK(lora.weight_bytes == 134'515'008 * 2 + 61 * 576 * 2);  // norms are f32
    CHECK(lora.trained_elements == 2'442'240);
    CHECK(lora.branch_ranks == 30 * 7 * 8);
    CHECK(lora.places == 1024);
    CHECK(lora.supervised == 1280 / 3);  // of an epoch, in three batches

    scene.config.method = "qlora";
    CHECK(training_needs(scene.config, scene.input()).weight_bytes < lora.weight_bytes / 2);
    scene.config.method = "full";
    const engine::TrainingNeeds full = training_needs(scene.config, scene.input());
    CHECK(full.trained_elements == 134'515'008);
    CHECK(full.weight_bytes == 134'515'008 * 4);
    CHECK(full.branch_ranks == 0);
    scene.config.method = "lora";
    scene.config.ranks = {"q_proj=16"};
    CHECK(training_needs(scene.config, scene.input()).branch_ranks == 30 * (6 * 8 + 16));
  }

  TEST_CASE("what costs least is changed first") {
    Scene scene;
    const int64_t asked = scene.choose(0).plan.total();
    CHECK(scene.choose(asked).changes.empty());
    CHECK(settings(scene.choose(asked - 1)) == "batch-tokens=512 accumulate=2 ");
    const MemoryChoice quarter = scene.choose(asked * 55 / 100);
    CHECK(quarter.config.batch_tokens * quarter.config.accumulate == 1024);
    int64_t before = asked;
    for (int64_t limit = asked; limit > asked / 4; limit -= asked / 20) {
      CAPTURE(limit);
      const std::string refused = scene.refusal(limit);
      if (!refused.empty()) break;
      const MemoryChoice choice = scene.choose(limit);
      CHECK(choice.plan.total() <= limit);
      CHECK(choice.plan.total() <= before);
      CHECK(choice.asked.total() == asked);
      before = choice.plan.total();
    }
    const MemoryChoice small = scene.choose(430'000'000);
    CHECK(contains(settings(small), "checkpoint-layers=true"));
    CHECK_FALSE(contains(settings(small), "method"));
    CHECK(contains(settings(scene.choose(330'000'000)), "method=qlora"));
  }

  TEST_CASE("int8 gives way before the method does") {
    Scene scene;
    scene.config.compute = "int8";
    scene.compute = tensor::Compute::kInt8;
    const MemoryChoice choice = scene.choose(480'000'000);
    CHECK(choice.compute == tensor::Compute::kFloat32);
    CHECK(choice.config.compute == "f32");
    CHECK_FALSE(contains(settings(choice), "method"));
  }

  TEST_CASE("full fine-tuning gives up its optimizer first and then the weights") {
    Scene scene;
    scene.config.method = "full";
    CHECK(contains(settings(scene.choose(2'000'000'000)), "optimizer="));
    CHECK(contains(settings(scene.choose(600'000'000)), "method=lora"));
  }

  TEST_CASE("rows are cut last and only if little is lost") {
    Scene scene(rows(700));  // its end is less than a tenth of what is learned when cut a little
    scene.config.batch_tokens = 64;
    const int64_t least_uncut = [&] {
      Config config = scene.config;
      config.checkpoint_layers = true;
      config.method = "qlora";
      return plan_memory(scene.blank.config(), training_needs(config, scene.input())).total();
    }();
    const MemoryChoice cut = scene.choose(least_uncut - 1);
    CHECK(contains(settings(cut), "max-length=640"));
    CHECK(cut.config.max_length == 640);
    for (const SettingChange& change : cut.changes)
      if (change.setting == "max-length") CHECK(contains(change.why, "cuts 1 of 40 rows"));
  }

  TEST_CASE("a limit that nothing meets is refused with the least that would do") {
    Scene scene;
    const std::string text = scene.refusal(50'000'000);
    CAPTURE(text);
    CHECK(contains(text, "--memory-limit 50.0 MB: as asked the run needs"));
    CHECK(contains(text, "--checkpoint-layers"));
    CHECK(contains(text, "give a limit of"));
  }

  TEST_CASE("a run that does not fit into the machine is refused with settings that do") {
    Scene scene;
    const MemoryChoice asked = scene.choose(0);
    const auto refusal = [&](int64_t available) {
      return testing::refusal_of([&] { check_memory(asked, scene.input(), available); },
                                 ErrorKind::kOutOfMemory);
    };
    CHECK(refusal(asked.plan.total()).empty());
    CHECK(refusal(0).empty());  // the machine does not say
    const std::string text = refusal(asked.plan.total() * 2 / 3);
    CAPTURE(text);
    CHECK(contains(text, "it fits with --batch-tokens"));
    CHECK(contains(refusal(1'000'000), "choose a smaller model"));
  }
}
