#pragma once

#include "core/data/sample_set.h"
#include "models/decoder.h"
#include "projects/finetune/config.h"

namespace toolkit::finetune {

/// The most tokens a row may have: the model's context; 8192 where the model does not say.
int longest_length(const models::DecoderConfig& model);

/// `--max-length auto`: the smallest multiple of 64 to which rows can be cut without losing more
/// than 0.5 % of the tokens that are to be learned.
int automatic_length(const data::SampleSet& samples, const models::DecoderConfig& model);

/// `--batch-tokens auto`: at most 32 rows (larger batches teach LoRA less from the same rows:
/// Schulman et al. 2025, "LoRA Without Regret"), at least 50 batches an epoch, but not below the
/// 256 tokens from which on the products run at full speed, nor above 4096.
int automatic_batch(const data::SampleSet& samples);

/// `--rank auto` proposes from kLeastRank to kMostRank, less where --memory-limit wants it.
constexpr int kLeastRank = 4, kMostRank = 64;

}  // namespace toolkit::finetune
