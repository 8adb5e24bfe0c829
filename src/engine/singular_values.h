#pragma once

#include <cstdint>

#include "core/tensor/linear.h"

namespace toolkit::engine {

/// The largest singular values of a matrix (out, in) with their vectors: W ~ u diag(values) v^T.
struct SingularTriplets {
  mx::array u;       // (out, r)
  mx::array values;  // (r), falling
  mx::array v;       // (in, r)
};

/// The first `rank` of them by randomized subspace iteration (Halko, Martinsson & Tropp 2011,
/// arXiv:0909.4061, algorithms 4.4 and 5.1). The weight is only multiplied with: a packed one stays
/// packed. The same seed gives the same numbers. Evaluated.
SingularTriplets leading_singular_triplets(const tensor::Weight& weight, int rank, uint64_t seed,
                                           int iterations = 8);

}  // namespace toolkit::engine
