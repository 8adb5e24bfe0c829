#include "engine/adapt.h"

#include <doctest/doctest.h>

#include "core/base/error.h"
#include "engine/module_pattern.h"
#include "mlx/mlx.h"
#include "models/testing/memory_files.h"

using namespace toolkit;
using namespace toolkit::engine;
using models::testing::largest_difference;

namespace {

std::unique_ptr<models::Decoder> tiny_model(const models::BasePacking& packing = {}) {
  return models::load_decoder(models::testing::random_files(models::testing::kTinyLlama),
                              tensor::Compute::kFloat32, packing);
}

mx::array outputs(models::Decoder& model) {
  const mx::array ids = mx::reshape(mx::arange(0, 20), {1, 20});
  return model.logits(model.hidden(mx::astype(ids, mx::int32)));
}

/// Every branch moved away from where it began.
void disturb(models::Decoder& model) {
  uint64_t seed = 50;
  const auto moved = [&](const mx::array& array) {
    return mx::add(array, mx::random::normal(array.shape(), mx::float32, 0.0f, 0.05f,
                                             mx::random::key(seed++)));
  };
  for (const LayerModule& module : layer_modules(model)) {
    nn::Linear& layer = *module.linear;
    if (!layer.lora) continue;
    layer.lora->a = moved(layer.lora->a);
    layer.lora->b = moved(layer.lora->b);
    if (layer.dora) layer.dora->magnitude = moved(layer.dora->magnitude);
  }
}

std::map<std::string, mx::array> trained_arrays(models::Decoder& model) {
  std::map<std::string, mx::array> arrays;
  for (const LayerModule& module : layer_modules(model)) {
    const nn::Linear& layer = *module.linear;
    if (!layer.lora) continue;
    arrays.emplace(module.path + ".lora_a", layer.lora->a);
    arrays.emplace(module.path + ".lora_b", layer.lora->b);
    if (layer.dora) arrays.emplace(module.path + ".m", layer.dora->magnitude);
  }
  return arrays;
}

const nn::Linear& module_at(models::Decoder& model, const std::string& path) {
  for (const auto& [name, layer] : model.linears())
    if (name == path) return *layer;
  FAIL("no module " << path);
  throw 1;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("every method begins with the base and comes back from its adapter") {
    for (const bool packed : {false, true}) {
      const models::BasePacking packing{.bits = packed ? 4 : 0, .group_size = 32};
      for (const LoraOptions& options :
           {LoraOptions{.rank = 4}, LoraOptions{.rank = 4, .magnitudes = true},
            LoraOptions{.rank = 4, .start = BranchStart::kPissa},
            LoraOptions{.rank = 4,
                        .targets = {"self_attn.*", "down_proj"},
                        .excluded = {"k_proj"},
                        .ranks = {"layers.1-2.q_proj=2"},
                        .rank_stabilized = true}}) {
        CAPTURE(packed);
        auto model = tiny_model(packing);
        const mx::array base = outputs(*model);
        attach_lora(*model, options);
        CHECK(largest_difference(outputs(*model), base) < 1e-4f);
        disturb(*model);
        const mx::array tuned = outputs(*model);
        CHECK(largest_difference(tuned, base) > 1e-2f);
        checkpoint::Adapter adapter = adapter_form(*model);
        adapter.tensors = adapter_tensors(*model, trained_arrays(*model));
        auto fresh = tiny_model(packing);
        apply_adapter(*fresh, adapter);
        CHECK(largest_difference(outputs(*fresh), tuned) < 1e-4f);
        remove_adapter(*fresh);
        CHECK(largest_difference(outputs(*fresh), base) == 0.0f);
      }
    }
  }

  TEST_CASE("targets and exclusions and ranks and scales are those asked for") {
    auto model = tiny_model();
    const auto keys = attach_lora(*model, {.rank = 8,
                                           .scale = 2.0f,
                                           .targets = {"self_attn.*", "down_proj"},
                                           .excluded = {"k_proj"},
                                           .ranks = {"q_proj=4", "layers.0-1.down_proj=2"},
                                           .num_layers = 2});
    CHECK(keys == std::vector<std::string>{"self_attn.q_proj", "self_attn.v_proj",
                                           "self_attn.o_proj", "mlp.down_proj"});
    CHECK_FALSE(module_at(*model, "model.layers.0.self_attn.q_proj").lora);
    CHECK(module_at(*model, "model.layers.1.mlp.down_proj").lora->a.shape(1) == 2);
    CHECK(module_at(*model, "model.layers.1.mlp.down_proj").lora->scale == 8.0f);
    CHECK(module_at(*model, "model.layers.2.mlp.down_proj").lora->a.shape(1) == 8);
    const checkpoint::Adapter form = adapter_form(*model);
    CHECK(form.rank == 8);
    CHECK(form.scale == 2.0f);
    CHECK(form.rank_pattern.at("model.layers.2.self_attn.q_proj") == 4);
    CHECK(form.scale_of("model.layers.2.self_attn.q_proj") == 4.0f);
    attach_lora(*model,
                {.rank = 16, .scale = 4.0f, .ranks = {"q_proj=4"}, .rank_stabilized = true});
    CHECK(module_at(*model, "model.layers.0.self_attn.q_proj").lora->scale == 8.0f);
    CHECK_THROWS_AS(attach_lora(*model, {.targets = {"mlp"}, .excluded = {"mlp"}}), Error);
    CHECK_THROWS_AS(attach_lora(*model, {.ranks = {"c_attn=4"}}), Error);
    CHECK_THROWS_AS(attach_lora(*model, {.rank = 33}), Error);
  }

  TEST_CASE("PiSSA starts at the leading singular vectors and its frozen half survives a save") {
    auto model = tiny_model();
    attach_lora(*model, {.rank = 4, .scale = 2.0f, .start = BranchStart::kPissa});
    const nn::Linear& layer = module_at(*model, "model.layers.1.mlp.up_proj");
    const auto exact = mx::linalg::svd(layer.weight.data, true, mx::Device::cpu);
    const mx::array wanted = mx::matmul(
        mx::multiply(mx::slice(exact[0], {0, 0}, {48, 4}), mx::slice(exact[1], {0}, {4})),
        mx::slice(exact[2], {0, 0}, {4, 32}));
    const mx::array made =
        mx::multiply(mx::transpose(mx::matmul(layer.lora->a, layer.lora->b)), mx::array(2.0f));
    CHECK(largest_difference(made, wanted) < 1e-3f);

    checkpoint::Adapter saved = adapter_form(*model);
    CHECK(saved.rank == 8);
    saved.tensors = adapter_tensors(*model, trained_arrays(*model));
    const mx::array frozen = *layer.lora->frozen_b;
    auto resumed = tiny_model();
    attach_lora(*resumed, {.rank = 4, .scale = 2.0f, .start = BranchStart::kPissa, .seed = 9});
    restore_frozen(*resumed, saved);
    CHECK(largest_difference(*module_at(*resumed, "model.layers.1.mlp.up_proj").lora->frozen_b,
                             frozen) == 0.0f);
    attach_lora(*resumed, {.rank = 3, .start = BranchStart::kPissa});
    CHECK_THROWS_AS(restore_frozen(*resumed, saved), Error);
  }

  TEST_CASE("full fine-tuning expands what it trains and its weights come back") {
    const models::BasePacking packing{.bits = 4, .group_size = 32};
    for (const int layers : {-1, 1}) {
      auto model = tiny_model(packing);
      const mx::array base = outputs(*model);
      CHECK(train_fully(*model, layers) > 0);
      CHECK(largest_difference(outputs(*model), base) < 1e-4f);
      CHECK(module_at(*model, "model.layers.0.mlp.up_proj").weight.quantized() == (layers == 1));
      CHECK(model->trained().contains("model.norm.weight") == (layers == -1));
      std::map<std::string, mx::array> moved;
      for (models::ModelParameter& parameter : model->parameters()) {
        if (!model->trained().contains(parameter.name)) continue;
        const mx::array value = mx::multiply(*parameter.places[0], mx::array(1.1f));
        for (mx::array* place : parameter.places) *place = value;
        moved.emplace(parameter.name, value);
      }
      checkpoint::Adapter adapter = adapter_form(*model);
      adapter.tensors = adapter_tensors(*model, moved);
      auto fresh = tiny_model(packing);
      apply_adapter(*fresh, adapter);
      CHECK(largest_difference(outputs(*fresh), outputs(*model)) < 1e-4f);
      adapter.tensors.emplace("model.layers.7.mlp.up_proj.weight", mx::zeros({2, 2}));
      CHECK_THROWS_WITH_AS(apply_adapter(*fresh, adapter), doctest::Contains("layers.7"), Error);
    }
  }

  TEST_CASE("packing the base keeps embeddings dense and refuses nothing else") {
    auto model = tiny_model({.bits = 4, .group_size = 32});
    CHECK(module_at(*model, "model.layers.0.self_attn.q_proj").weight.bits == 4);
    CHECK_FALSE(model->head().weight->quantized());
    auto plain = tiny_model({.bits = 4, .group_size = 64});  // 32 and 48 columns: none fits
    CHECK_FALSE(module_at(*plain, "model.layers.0.self_attn.q_proj").weight.quantized());
  }
}
