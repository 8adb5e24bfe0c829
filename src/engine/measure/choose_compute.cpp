#include "engine/measure/choose_compute.h"

#include <algorithm>
#include <chrono>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/paths.h"
#include "core/platform/hardware.h"
#include "core/tensor/linear.h"
#include "mlx/ops.h"
#include "mlx/random.h"
#include "mlx/transforms.h"

namespace toolkit::engine {

namespace {

constexpr int kTokens = 512, kWidth = 1024, kRepeats = 4;
constexpr double kInt8Advantage = 1.2;

double measure_one(tensor::Compute compute) {
  tensor::Weight weight{.data = mx::random::normal({kWidth, kWidth})};
  const mx::array x = mx::random::normal({kTokens, kWidth});
  mx::eval(weight.data, x);
  const auto prepared = tensor::prepare(weight, compute);
  const auto map = [&](const mx::array& input) {
    return mx::sum(tensor::linear(input, {.weight = &weight, .prepared = prepared.get()}, compute));
  };
  double best = 0;
  for (int i = 0; i < kRepeats + 1; ++i) {  // the first one warms up
    const auto begin = std::chrono::steady_clock::now();
    auto [value, gradient] = mx::value_and_grad(map)(x);
    mx::eval(value, gradient);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (i > 0) best = std::max(best, 2.0 * kTokens * kWidth * kWidth / seconds);
  }
  return best;
}

// Measurements hold for one processor and one set of kernels.
std::string machine_key() {
  return platform::detect_hardware().cpu + " / " + tensor::cpu_kernel_target();
}

tensor::Compute fastest(const std::map<std::string, double>& rates) {
  const double exact = rates.at("f32"), bf16 = rates.at("bf16"), int8 = rates.at("int8");
  if (int8 > kInt8Advantage * std::max(exact, bf16)) return tensor::Compute::kInt8;
  return bf16 > exact ? tensor::Compute::kBFloat16 : tensor::Compute::kFloat32;
}

}  // namespace

std::map<std::string, double> measure_compute() {
  std::map<std::string, double> rates;
  for (tensor::Compute compute :
       {tensor::Compute::kFloat32, tensor::Compute::kBFloat16, tensor::Compute::kInt8})
    rates[tensor::compute_name(compute)] = measure_one(compute);
  return rates;
}

tensor::Compute choose_compute(const std::string& name) {
  if (name != "auto") return tensor::compute_from_name(name);
  const std::filesystem::path file = home_folder() / "compute.json";
  Json known = Json::object();
  try {
    known = parse_json(read_file(file, 1 << 20), file.string());
    const Json& here = known.at(machine_key());
    return fastest(here.get<std::map<std::string, double>>());
  } catch (const std::exception&) {
    // Not measured yet, or the file is of no use: measure and write it anew.
  }
  const std::map<std::string, double> rates = measure_compute();
  if (!known.is_object()) known = Json::object();
  known[machine_key()] = rates;
  try {
    std::filesystem::create_directories(file.parent_path());
    write_file_atomically(file, known.dump(2) + "\n");
  } catch (const std::exception&) {
    // Only remembering failed: the answer stands.
  }
  return fastest(rates);
}

}  // namespace toolkit::engine
