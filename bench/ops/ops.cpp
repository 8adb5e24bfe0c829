// Times every op of a decoder but its matrix products, at the shapes of SmolLM2-135M: forward, and
// forward with backward; milliseconds, bytes per second touched, and what one training step of 30
// layers spends in all of them.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "core/tensor/adamw.h"
#include "core/tensor/attention.h"
#include "core/tensor/backend.h"
#include "core/tensor/embedding.h"
#include "core/tensor/gated_activation.h"
#include "core/tensor/rms_norm.h"
#include "core/tensor/rope.h"
#include "mlx/mlx.h"

namespace {

using namespace toolkit::tensor;
using Arrays = std::vector<mx::array>;
using Function = std::function<Arrays(const Arrays&)>;

constexpr int kTokens = 512, kChannels = 576, kHeads = 9, kKvHeads = 3, kWidth = 64, kInner = 1536;
constexpr int kLayers = 30;

int runs = 15;     // of each measurement; the median counts
std::string only;  // part of the name of what is measured; empty: everything

double milliseconds(const std::function<void()>& work) {
  std::vector<double> times;
  for (int i = 0; i < runs + 3; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    if (i >= 3) times.push_back(time.count());
  }
  std::nth_element(times.begin(), times.begin() + runs / 2, times.end());
  return times[static_cast<size_t>(runs / 2)];
}

mx::array random(const mx::Shape& shape) {
  mx::array x = mx::random::normal(shape);
  mx::eval(x);
  return x;
}

struct Timing {
  double forward, both;
};

/// `megabytes`: read and written by both passes together.
Timing measure(const std::string& name, double times_per_layer, double megabytes,
               const Function& function, const Arrays& inputs) {
  if (name.find(only) == std::string::npos) return {};
  Arrays cotangents;
  for (const mx::array& value : function(inputs)) cotangents.push_back(random(value.shape()));
  Timing t{};
  t.forward = milliseconds([&] { mx::eval(function(inputs)); });
  t.both = milliseconds([&] {
    auto [values, gradients] = mx::vjp(function, inputs, cotangents);
    values.insert(values.end(), gradients.begin(), gradients.end());
    mx::eval(values);
  });
  std::printf("%-28s %8.3f ms forward %8.3f ms with backward %7.1f GB/s %8.1f ms per step\n",
              name.c_str(), t.forward, t.both, megabytes / t.both,
              times_per_layer * kLayers * t.both);
  return t;
}

mx::array segments(int length) {
  std::vector<int> ids;
  for (int i = 0; i < kTokens; ++i) ids.push_back(i / length);
  return mx::array(ids.begin(), {1, kTokens}, mx::int32);
}

double measure_adamw() {
  if (!only.empty() && only != "adamw") return 0.0;
  constexpr int kTensors = 420, kSize = 5800;  // LoRA rank 8 on all linear layers
  Arrays p, g, m, v;
  for (int i = 0; i < kTensors; ++i) {
    for (Arrays* list : {&p, &g, &m, &v}) list->push_back(mx::abs(random({kSize})));
  }
  mx::eval(p), mx::eval(g), mx::eval(m), mx::eval(v);
  int step = 0;
  const double time = milliseconds([&] {
    AdamwResult r = adamw(p, g, m, v, {.learning_rate = 1e-3f, .step = ++step, .max_norm = 1.0f});
    p = std::move(r.parameters);
    m = std::move(r.first_moments);
    v = std::move(r.second_moments);
    Arrays all = p;
    all.push_back(r.gradient_norm);
    mx::eval(all);
  });
  std::printf("%-28s %8.3f ms per step, %.1f GB/s\n", "adamw, 2.4 M parameters", time,
              kTensors * kSize * 4.0 * 8.0 / time * 1e-6);
  return time;
}

}  // namespace

// bench_ops [PART-OF-A-NAME [RUNS]]
int main(int count, char** arguments) {
  if (count > 1) only = arguments[1];
  if (count > 2) runs = std::max(1, std::atoi(arguments[2]));
  initialize();
  std::printf("kernels: %s\n", cpu_kernel_target().c_str());
  const double rows = kTokens * kChannels * 4e-6, inner = kTokens * kInner * 4e-6;
  const double q = kTokens * kHeads * kWidth * 4e-6, k = kTokens * kKvHeads * kWidth * 4e-6;
  const mx::array weight = random({kChannels});
  std::vector<float> f(kWidth / 2, 0.01f);
  const mx::array frequencies(f.begin(), {kWidth / 2}, mx::float32);

  const auto norm = [&](const Arrays& in) {
    const auto [sum, y] = add_rms_norm(in[0], in[1], weight, 1e-5f);
    return Arrays{sum, y};
  };
  double step = 2 * kLayers *
                measure("add_rms_norm", 2, 8 * rows, norm,
                        {random({1, kTokens, kChannels}), random({1, kTokens, kChannels})})
                    .both;
  const auto turn = [&](const Arrays& in) {
    return Arrays{rope(in[0], frequencies, 0), rope(in[1], frequencies, 0)};
  };
  step += kLayers *
          measure("rope of q and k", 1, 4 * (q + k), turn,
                  {random({1, kTokens, kHeads, kWidth}), random({1, kTokens, kKvHeads, kWidth})})
              .both;
  const auto gate = [](const Arrays& in) {
    return Arrays{gated_activation(in[0], in[1], Gate::kSilu)};
  };
  step += kLayers * measure("gated_activation", 1, 8 * inner, gate,
                            {random({1, kTokens, kInner}), random({1, kTokens, kInner})})
                        .both;
  for (const int length : {107, 512}) {
    AttentionOptions options{.scale = 0.125f};
    options.segments = segments(length);
    const auto attend = [&](const Arrays& in) {
      return Arrays{attention(in[0], in[1], in[2], options)};
    };
    const Timing t =
        measure("attention, segments of " + std::to_string(length), 1, 0.0, attend,
                {random({1, kTokens, kHeads, kWidth}), random({1, kTokens, kKvHeads, kWidth}),
                 random({1, kTokens, kKvHeads, kWidth})});
    if (t.both == 0.0) continue;
    const double pairs = kTokens * (length + 1) / 2.0 * kHeads * kWidth;  // about, for 512 exactly
    std::printf("%-28s %8.1f GFLOP/s forward, %.1f with backward\n", "", 4e-6 * pairs / t.forward,
                14e-6 * pairs / t.both);
    if (length == 107) step += kLayers * t.both;
  }
  step += measure_adamw();
  const mx::array q1 = random({1, 1, kHeads, kWidth}), cache = random({1, 1024, kKvHeads, kWidth});
  const double decode =
      milliseconds([&] { mx::eval(attention(q1, cache, cache, {.scale = 0.125f})); });
  std::printf("%-28s %8.3f ms, %.1f GB/s\n", "attention, 1 query 1024 keys", decode,
              2 * 1024.0 * kKvHeads * kWidth * 4e-6 / decode);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("one step of %d tokens, %d layers: %.1f ms; peak memory %ld MB, %ld page faults\n",
              kTokens, kLayers, step, usage.ru_maxrss / 1024, usage.ru_minflt);
}
