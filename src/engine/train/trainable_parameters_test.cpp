#include "engine/train/trainable_parameters.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "engine/train/testing/tiny_model.h"
#include "mlx/mlx.h"

using namespace toolkit;
using namespace toolkit::engine;
using namespace toolkit::engine::testing;
using models::testing::largest_difference;

namespace {

std::set<std::string> names_of(models::Decoder& model) {
  std::set<std::string> names;
  for (const models::ModelParameter& parameter : model.parameters()) names.insert(parameter.name);
  return names;
}

ParameterRole role(const TrainableParameters& parameters, const std::string& name) {
  const auto& infos = parameters.infos();
  const auto found = std::find_if(infos.begin(), infos.end(),
                                  [&](const ParameterInfo& info) { return info.name == name; });
  REQUIRE(found != infos.end());
  return found->role;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("every array of the model can be trained and has a role") {
    auto model = tiny_model();
    model->set_trained(names_of(*model));
    const TrainableParameters parameters(*model);
    CHECK(parameters.element_count() == model->parameter_count());
    CHECK(role(parameters, "model.embed_tokens.weight") == ParameterRole::kEmbedding);
    CHECK(role(parameters, "model.norm.weight") == ParameterRole::kNorm);
    CHECK(role(parameters, "model.layers.1.mlp.up_proj.weight") == ParameterRole::kMatrix);
    CHECK_THROWS_AS(model->set_trained({"model.layers.9.mlp.up_proj.weight"}), Error);
  }

  TEST_CASE("branches have the roles of LoRA and a model that trains nothing is refused") {
    auto adapted = tiny_adapted_model();
    const TrainableParameters parameters(*adapted);
    CHECK(role(parameters, "model.layers.0.mlp.up_proj.lora_a") == ParameterRole::kLoraA);
    CHECK(role(parameters, "model.layers.0.mlp.up_proj.lora_b") == ParameterRole::kLoraB);
    auto plain = tiny_model();
    CHECK_THROWS_AS(TrainableParameters{*plain}, Error);
  }

  TEST_CASE("full fine-tuning: packed and checkpointed gradients equal the samples one by one") {
    auto model = tiny_model();
    model->set_trained(names_of(*model));
    TrainableParameters parameters(*model);
    const auto samples = samples_behind_prefix(7, 4, 12);
    const auto [loss, gradients] = one_by_one(*model, parameters, samples);
    const Batches batches(samples, choose_batch_shape(samples, 1000, true), false);
    REQUIRE(batches.shape().prefix >= 12);
    auto [kept_loss, kept] = loss_and_gradients(*model, parameters, batches.at(0));
    auto [recomputed_loss, recomputed] =
        loss_and_gradients(*model, parameters, batches.at(0), {.checkpoint_layers = true});
    CHECK(kept_loss.item<float>() == doctest::Approx(loss).epsilon(1e-5));
    CHECK(kept_loss.item<float>() == recomputed_loss.item<float>());
    for (size_t i = 0; i < parameters.size(); ++i) {
      CAPTURE(parameters.names()[i]);
      const float size = mx::max(mx::abs(gradients[i])).item<float>();
      CHECK(size > 0.0f);
      CHECK(largest_difference(kept[i], gradients[i]) < 1e-4f * size);
      // A GPU adds up in another order every time.
      CHECK(largest_difference(recomputed[i], kept[i]) <=
            (tensor::use_cpu_kernels() ? 0.0f : 1e-5f * size));
    }
  }

  TEST_CASE("a tied embedding gets the gradients of both its uses") {
    auto model = tiny_model();
    REQUIRE(model->config().tied_embeddings);
    const std::string name = "model.embed_tokens.weight";
    model->set_trained({name});
    TrainableParameters parameters(*model);
    const Batches batches(rule_samples(4, 2), {.rows = 1, .length = 96}, false);
    const mx::array gradient = loss_and_gradients(*model, parameters, batches.at(0)).second[0];
    const mx::array before = parameters.values()[0];
    const float length = mx::sqrt(mx::sum(mx::square(gradient))).item<float>();
    const mx::array step = mx::multiply(gradient, mx::array(1e-2f / length));
    const auto loss_at = [&](const mx::array& table) {
      parameters.assign({{table}});
      return loss_sum(*model, batches.at(0)).item<float>();
    };
    const float slope =
        (loss_at(mx::add(before, step)) - loss_at(mx::subtract(before, step))) / 2e-2f;
    CHECK(slope == doctest::Approx(length).epsilon(0.02));
  }
}
