#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "core/base/random.h"
#include "core/data/samples.h"
#include "engine/adapt.h"
#include "engine/train/objective.h"
#include "models/decoder.h"
#include "models/testing/memory_files.h"

namespace toolkit::engine::testing {

inline std::unique_ptr<models::Decoder> tiny_model() {
  return models::load_decoder(models::testing::random_files(models::testing::kTinyLlama),
                              tensor::Compute::kFloat32);
}

/// The same with a LoRA branch on every linear layer; b is not zero, so that every gradient counts.
inline std::unique_ptr<models::Decoder> tiny_adapted_model() {
  auto model = tiny_model();
  attach_lora(*model, {.rank = 4, .scale = 2.0f, .seed = 3});
  uint64_t seed = 100;
  for (const auto& [path, layer] : model->linears())
    if (layer->lora)
      layer->lora->b = mx::random::normal(layer->lora->b.shape(), mx::float32, 0.0f, 0.05f,
                                          mx::random::key(seed++));
  return model;
}

/// Rows with a rule to learn: every token follows from the one before; the first third is the
/// question.
inline std::vector<data::Sample> rule_samples(int count, uint64_t seed, int shortest = 6,
                                              int longest = 20) {
  Random random(seed);
  std::vector<data::Sample> samples;
  for (int i = 0; i < count; ++i) {
    data::Sample sample;
    const int length = shortest + static_cast<int>(random.below(longest - shortest + 1));
    int32_t token = static_cast<int32_t>(random.below(64));
    for (int t = 0; t < length; ++t) {
      sample.ids.push_back(token);
      sample.supervised.push_back(t > length / 3);
      token = (token * 5 + 7) % 64;
    }
    samples.push_back(sample);
  }
  return samples;
}

/// Rows that all begin with the same `prefix` tokens, which nobody has to predict.
inline std::vector<data::Sample> samples_behind_prefix(int count, uint64_t seed, int prefix) {
  std::vector<data::Sample> samples = rule_samples(count, seed);
  for (data::Sample& sample : samples) {
    std::vector<int32_t> start;
    for (int i = 0; i < prefix; ++i) start.push_back((i * 11 + 3) % 64);
    sample.ids.insert(sample.ids.begin(), start.begin(), start.end());
    sample.supervised.insert(sample.supervised.begin(), start.size(), false);
  }
  return samples;
}

/// Sum of the losses of the samples, each in a batch of its own, and its gradients.
inline std::pair<float, std::vector<mx::array>> one_by_one(
    models::Decoder& model, TrainableParameters& parameters,
    const std::vector<data::Sample>& samples) {
  float loss = 0;
  std::vector<mx::array> gradients;
  for (const data::Sample& sample : samples) {
    const std::vector<std::vector<int>> rows{{0}};
    const data::PackedBatch batch =
        data::make_batch(std::span(&sample, 1), rows, static_cast<int>(sample.ids.size()));
    auto [value, parts] = loss_and_gradients(model, parameters, batch);
    loss += value.item<float>();
    for (size_t i = 0; i < parts.size(); ++i) {
      if (gradients.size() <= i)
        gradients.push_back(parts[i]);
      else
        gradients[i] = mx::add(gradients[i], parts[i]);
    }
  }
  return {loss, gradients};
}

}  // namespace toolkit::engine::testing
