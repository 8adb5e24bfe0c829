#include <cmath>

#include "core/tensor/plain/plain.h"
#include "mlx/mlx.h"

namespace toolkit::tensor::plain {

mx::array scale_columns(const mx::array& x, const mx::array& scale, const mx::array* bias) {
  const mx::array y = mx::multiply(x, mx::astype(scale, x.dtype()));
  return bias ? mx::add(y, mx::astype(*bias, x.dtype())) : y;
}

namespace {

// An integer hash with little bias (Wellons, "Prospecting for Hash Functions", 2018).
mx::array hashed(mx::array h) {
  const auto number = [](uint32_t value) { return mx::array(value, mx::uint32); };
  const auto mixed = [&](const mx::array& x, uint32_t shift) {
    return mx::bitwise_xor(x, mx::right_shift(x, number(shift)));
  };
  h = mx::multiply(mixed(h, 16), number(0x7feb352du));
  h = mx::multiply(mixed(h, 15), number(0x846ca68bu));
  return mixed(h, 16);
}

}  // namespace

mx::array dropout(const mx::array& x, float rate, uint64_t key) {
  const mx::array low(static_cast<uint32_t>(key), mx::uint32);
  const mx::array high(static_cast<uint32_t>(key >> 32), mx::uint32);
  const mx::array at = mx::arange(0.0, static_cast<double>(x.size()), 1.0, mx::uint32);
  const mx::array draw = hashed(mx::bitwise_xor(hashed(mx::add(at, low)), high));
  const auto threshold = static_cast<uint32_t>(std::llround(double{rate} * 4294967296.0));
  const mx::array kept =
      mx::reshape(mx::greater_equal(draw, mx::array(threshold, mx::uint32)), x.shape());
  return mx::where(kept, mx::multiply(x, mx::array(1.0f / (1.0f - rate), x.dtype())),
                   mx::array(0.0f, x.dtype()));
}

}  // namespace toolkit::tensor::plain
