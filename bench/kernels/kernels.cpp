// Prints the speed of the linear-layer kernels beside OpenBLAS's sgemm, measured in the same run.

#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "core/tensor/backend.h"
#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/gemv.h"
#include "core/tensor/cpu/int8_gemm.h"
#include "core/tensor/cpu/thread_pool.h"

using namespace toolkit::tensor::cpu;

namespace {

/// Seconds of each piece of work: the best of many rounds in which all take turns, so that a
/// machine that slows down for a while slows all of them.
std::vector<double> best_seconds(const std::vector<std::function<void()>>& works) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> best(works.size(), 1e9);
  double total = 0;
  for (int round = 0; round < 400 && (round < 3 || total < 0.8); ++round) {
    for (size_t i = 0; i < works.size(); ++i) {
      const auto begin = Clock::now();
      works[i]();
      const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
      best[i] = std::min(best[i], seconds);
      total += seconds;
    }
  }
  return best;
}

std::vector<float> noise(size_t count) {
  static std::minstd_rand random(1);
  std::uniform_real_distribution<float> values(-1.0f, 1.0f);
  std::vector<float> result(count);
  for (float& value : result) value = values(random);
  return result;
}

/// A packed weight with random contents.
struct PackedWeight {
  std::vector<uint32_t> words;
  std::vector<float> scales, biases;
  std::vector<uint16_t> halves;  // f16 scales, as a file has them
  WeightView view;

  PackedWeight(int64_t rows, int64_t columns, int bits)
      : words(static_cast<size_t>(rows * columns * bits / 32)),
        scales(noise(static_cast<size_t>(rows * columns / 32))),
        biases(scales),
        halves(scales.size(), 0x3400) {
    std::minstd_rand random(2);
    for (uint32_t& word : words) word = static_cast<uint32_t>(random()) * 2654435761u;
    view = {.data = words.data(),
            .scales = scales.data(),
            .biases = biases.data(),
            .rows = rows,
            .columns = columns,
            .group_size = 32,
            .bits = bits};
  }
  RightFactor factor(RightFactor::Form form) const {
    return {.form = form, .weight = view, .scales = scales.data(), .biases = biases.data()};
  }
};

void compare(int64_t m, int64_t k, int64_t n) {
  const std::vector<float> a = noise(static_cast<size_t>(m * k)),
                           dense = noise(static_cast<size_t>(n * k));
  std::vector<float> c(static_cast<size_t>(m * n));
  const double flops = 2e-9 * static_cast<double>(m * n * k);
  const PackedWeight rows(n, k, 4), columns(k, n, 4);
  const auto run = [&](const RightFactor& b) {
    return [&, b] {
      const GemmTerm term{a.data(), k, k, b};
      gemm({&term, 1}, {.c = c.data(), .stride = n, .m = m, .n = n});
    };
  };
  const auto blas = [&] {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(m), static_cast<int>(n),
                static_cast<int>(k), 1.0f, a.data(), static_cast<int>(k), dense.data(),
                static_cast<int>(k), 0.0f, c.data(), static_cast<int>(n));
  };
  const std::vector<double> seconds = best_seconds(
      {blas, run(rows.factor(RightFactor::Form::kWeightTransposed)),
       run(columns.factor(RightFactor::Form::kWeight)),
       run({.form = RightFactor::Form::kMatrixTransposed, .matrix = dense.data(), .stride = k})});
  fmt::print("{:5} {:5} {:6} | {:7.1f}", m, k, n, flops / seconds[0]);
  for (size_t i = 1; i < seconds.size(); ++i)
    fmt::print(" | {:7.1f} {:4.0f}%", flops / seconds[i], 100 * seconds[0] / seconds[i]);
  fmt::print("\n");
}

/// Int8 forward and backward, with and without quantizing the rows of A.
void measure_int8(int64_t m, int64_t k, int64_t n) {
  const PackedWeight packed(n, k, 4);
  const auto weight = make_int8_weight(packed.view);
  const std::vector<float> x = noise(static_cast<size_t>(m * k)),
                           dy = noise(static_cast<size_t>(m * n));
  std::vector<float> y(static_cast<size_t>(m * n)), dx(static_cast<size_t>(m * k));
  const auto product = [&](bool backward, bool quantize) {
    return [&, backward, quantize] {
      const int64_t columns = backward ? n : k;
      const Int8Rows rows = scratch_rows(Scratch::kQuantized, m, columns);
      if (quantize)
        quantize_rows(
            {.x = backward ? dy.data() : x.data(), .x_stride = columns, .m = m, .columns = columns},
            rows);
      int8_gemm({.weight = backward ? &weight->transposed(packed.view) : weight.get(), .a = rows},
                {.c = backward ? dx.data() : y.data(),
                 .stride = backward ? k : n,
                 .m = m,
                 .n = backward ? k : n});
    };
  };
  const std::vector<double> seconds = best_seconds(
      {product(false, true), product(false, false), product(true, true), product(true, false)});
  const double flops = 2e-9 * static_cast<double>(m * n * k);
  fmt::print("{:5} {:5} {:6} | {:7.1f} {:7.1f} | {:7.1f} {:7.1f}\n", m, k, n, flops / seconds[0],
             flops / seconds[1], flops / seconds[2], flops / seconds[3]);
}

/// What it costs to hand a loop to all threads.
void measure_pool() {
  const double seconds = best_seconds({[] {
    for (int i = 0; i < 100; ++i) parallel_for(16, 1, [](int64_t, int64_t, int) {});
  }})[0];
  const auto busy = [](int64_t begin, int64_t end, int) {
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::nanoseconds(2500) * (end - begin);
    while (std::chrono::steady_clock::now() < until) {
    }
  };
  const double shared = best_seconds({[&] { parallel_for(16, 1, busy); }})[0];
  fmt::print("parallel loop of nothing: {:.2f} us; of 40 us of work: {:.1f} us\n", 1e4 * seconds,
             1e6 * shared);
}

/// Generation: one input against a packed weight, in weights per second and bytes per second.
void measure_gemv(int64_t n, int64_t k, int bits) {
  const PackedWeight weight(n, k, bits);
  const std::vector<float> x = noise(static_cast<size_t>(k));
  std::vector<float> y(static_cast<size_t>(n));
  const double seconds = best_seconds({[&] {
    WeightView view = weight.view;
    view.scales = view.biases = weight.halves.data();
    view.type = FloatType::kFloat16;
    const GemvMap map{view, y.data(), n};
    gemv(x.data(), 1, {&map, 1});
  }})[0];
  const double count = static_cast<double>(n * k);
  const double bytes = count * bits / 8 + count / 32 * 4;
  fmt::print("gemv {:6} x {:5}, {} bit: {:6.1f} us, {:5.1f} G weights/s, {:5.1f} GB/s\n", n, k,
             bits, 1e6 * seconds, 1e-9 * count / seconds, 1e-9 * bytes / seconds);
}

}  // namespace

int main() {
  toolkit::tensor::initialize();
  fmt::print("{} threads, {}\n", thread_count(), toolkit::tensor::cpu_kernel_target());
  measure_pool();
  measure_gemv(576, 576, 4);
  measure_gemv(1536, 576, 4);
  measure_gemv(576, 1536, 4);
  measure_gemv(49152, 576, 8);
  measure_gemv(49152, 576, 4);
  fmt::print(
      "int8, G operations/s:\n    m     k      n | x W^T, quantized before | dy W, quantized "
      "before\n");
  measure_int8(512, 576, 576);
  measure_int8(512, 576, 192);
  measure_int8(512, 576, 1536);
  measure_int8(512, 1536, 576);
  fmt::print(
      "    m     k      n |    blas | x W^T (4 bit)  | dy W (4 bit)  | x W^T (f32)     GFLOP/s, "
      "share of OpenBLAS\n");
  for (const int64_t m : {512, 128}) {
    compare(m, 576, 576);
    compare(m, 576, 192);
    compare(m, 576, 1536);
    compare(m, 1536, 576);
    compare(m, 576, 4096);
  }
}
