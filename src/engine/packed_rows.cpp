#include "engine/packed_rows.h"

#include <optional>

#include "core/tensor/embedding.h"
#include "mlx/ops.h"

namespace toolkit::engine {

mx::array predicting_states(const models::Decoder& model, const data::PackedBatch& batch,
                            bool checkpoint_layers, const mx::array* embedding_noise) {
  const mx::Shape shape = {batch.rows, batch.length};
  const mx::array ids(batch.ids.data(), shape, mx::int32);
  const mx::array segments(batch.segments.data(), shape, mx::int32);
  std::optional<models::SharedPrefix> shared;
  if (batch.prefix > 0)
    shared = {mx::full({batch.rows}, batch.prefix, mx::int32),
              mx::array(batch.positions.data(), shape, mx::int32)};
  const mx::array hidden = model.hidden(ids, {.segments = &segments,
                                              .shared = shared ? &*shared : nullptr,
                                              .embedding_noise = embedding_noise,
                                              .checkpoint_layers = checkpoint_layers});
  return tensor::gather_rows(
      mx::reshape(hidden, {batch.rows * batch.length, hidden.shape(2)}),
      mx::array(batch.predictors.data(), {static_cast<int>(batch.predictors.size())}, mx::int32));
}

}  // namespace toolkit::engine
