#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor/backend.h"
#include "models/decoder.h"

namespace toolkit::engine {

/// What a training run holds in memory, as far as settings decide it.
struct TrainingNeeds {
  /// The base model as it lies in memory (checkpoint::ModelFiles::memory_bytes), and its linear
  /// weights' elements (for what `compute` keeps beside them).
  int64_t weight_bytes = 0;
  int64_t linear_elements = 0;

  int64_t trained_elements = 0;
  bool trains_weights = false;  // full fine-tuning: the weights themselves, no branches
  int trained_layers = -1;      // the last N, below which nothing is kept; -1: all
  int64_t branch_ranks = 0;     // ranks of all branches added up
  bool learns_lengths = false;  // DoRA: what its layers put out is kept for the gradient
  double optimizer_bytes = 8;   // per trained element; AdamW: two f32 moments

  int64_t places = 0;      // tokens of a batch, padding included
  int64_t supervised = 0;  // most supervised tokens of a batch
  bool checkpoint_layers = false;
  tensor::Compute compute = tensor::Compute::kFloat32;
};

/// Bytes by what they are for. `total()` is what the process will hold at its peak.
struct MemoryPlan {
  int64_t program = 0;      // the program itself, tokenizer, rows
  int64_t weights = 0;      // the base model, and copies that `compute` keeps
  int64_t trained = 0;      // trained values, their gradients and the optimizer's state
  int64_t activations = 0;  // what the forward pass keeps for the backward pass
  int64_t head = 0;         // one chunk of logits and the hidden states of supervised tokens
  int64_t workspace = 0;    // of the layer that is being computed

  int64_t total() const { return program + weights + trained + activations + head + workspace; }
  /// For tables and records: ("weights", bytes), ...
  std::vector<std::pair<std::string, int64_t>> parts() const;
};

/// Adds up what a step on our CPU kernels keeps, from the shapes; no allocation, no measurement.
/// `model` must be complete. Within 15 % of the peaks measured on Linux (memory_plan_test.cpp;
/// tests/training/memory.py measures again).
MemoryPlan plan_memory(const models::DecoderConfig& model, const TrainingNeeds& needs);

}  // namespace toolkit::engine
