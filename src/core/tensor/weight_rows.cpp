#include "core/tensor/weight_rows.h"

#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::tensor {

namespace {

mx::array rows_of(const mx::array& matrix, int begin, int end) {
  return mx::slice(matrix, {begin, 0}, {end, matrix.shape(1)});
}

}  // namespace

Weight weight_rows(const Weight& weight, int begin, int end) {
  if (begin == 0 && end == weight.data.shape(0)) return weight;
  Weight part = weight;
  part.data = rows_of(weight.data, begin, end);
  if (weight.scales) part.scales = rows_of(*weight.scales, begin, end);
  if (weight.biases) part.biases = rows_of(*weight.biases, begin, end);
  return part;
}

Weight joined_rows(const std::vector<Weight>& parts) {
  if (parts.size() == 1) return parts.front();
  std::vector<mx::array> data, scales, biases;
  for (const Weight& part : parts) {
    data.push_back(part.data);
    if (part.scales) scales.push_back(*part.scales);
    if (part.biases) biases.push_back(*part.biases);
  }
  Weight joined = parts.front();
  joined.data = mx::concatenate(data, 0);
  std::vector<mx::array> made = {joined.data};
  if (joined.scales) made.push_back(*(joined.scales = mx::concatenate(scales, 0)));
  if (joined.biases) made.push_back(*(joined.biases = mx::concatenate(biases, 0)));
  mx::eval(made);
  return joined;
}

}  // namespace toolkit::tensor
