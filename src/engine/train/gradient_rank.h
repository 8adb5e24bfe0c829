#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/adapt.h"
#include "engine/train/batches.h"
#include "engine/train/loss.h"
#include "models/decoder.h"

namespace toolkit::engine {

/// A rank for LoRA branches and what it was made of.
struct RankProposal {
  int rank = 0;
  double effective = 0;                                // mean over the layers
  std::vector<std::pair<std::string, double>> layers;  // path and effective rank
  int batches = 0;
};

/// How many directions the rows pull each layer's weight in before anything is learned. The
/// gradients G of W over the first batches (8 at most) are seen through random projections: those
/// of B in a fresh branch of rank `most` are A^T G, whose spectrum is close to that of G (Halko et
/// al. 2011, arXiv:0909.4061). The effective rank of a layer is exp(H(p)), p the shares of the
/// eigenvalues of the sum of (A^T G)(A^T G)^T over the batches (Roy and Vetterli 2007, "The
/// effective rank"). The proposal is the mean over the layers, up to the next power of two, from 4
/// to `most`. `options` say which layers; its rank, ranks and start have no part in it. Leaves the
/// model with the probing branches: attach_lora next.
RankProposal propose_rank(models::Decoder& model, LoraOptions options, const Batches& batches,
                          int most, const LossOptions& loss = {});

}  // namespace toolkit::engine
