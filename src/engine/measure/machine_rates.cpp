#include "engine/measure/machine_rates.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/platform/hardware.h"
#include "core/tensor/linear.h"
#include "mlx/ops.h"
#include "mlx/random.h"
#include "mlx/transforms.h"
#include "mlx/version.h"

namespace toolkit::engine {

namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kFileBytes = 1 << 20;

double seconds_of(const std::function<void()>& work) {
  const Clock::time_point begin = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// The shortest of several runs: what the machine can do, not what it was busy with.
double shortest(int repeats, const std::function<void()>& work) {
  double best = seconds_of(work);
  for (int i = 1; i < repeats; ++i) best = std::min(best, seconds_of(work));
  return best;
}

double measure_matrix_product() {
  constexpr int kSize = 1024;
  const mx::array a = mx::random::normal({kSize, kSize}), b = mx::random::normal({kSize, kSize});
  mx::eval(a, b);
  const double seconds = shortest(5, [&] { mx::eval(mx::matmul(a, b)); });
  return 2.0 * kSize * kSize * kSize / seconds;
}

double measure_linear(tensor::Compute compute) {
  constexpr int kTokens = 512, kWidth = 1024;
  const tensor::Weight weight{.data = mx::random::normal({kWidth, kWidth})};
  const mx::array x = mx::random::normal({kTokens, kWidth});
  mx::eval(weight.data, x);
  const auto prepared = tensor::prepare(weight, compute);
  const auto map = [&](const mx::array& input) {
    return mx::sum(tensor::linear(input, {.weight = &weight, .prepared = prepared.get()}, compute));
  };
  const double seconds = shortest(5, [&] {
    auto [value, gradient] = mx::value_and_grad(map)(x);
    mx::eval(value, gradient);
  });
  // Two products, a multiplication and an addition each.
  return 2 * 2.0 * kTokens * kWidth * kWidth / seconds;
}

double measure_read() {
  const int64_t room = platform::available_memory_bytes() / 8;
  const size_t count =
      static_cast<size_t>(std::clamp<int64_t>(room, 16 << 20, 256 << 20)) / sizeof(uint64_t);
  const std::vector<uint64_t> block(count, 1);
  const size_t threads = static_cast<size_t>(std::max(1, platform::detect_hardware().cores));
  std::vector<uint64_t> sums(threads);
  const auto read_all = [&] {
    std::vector<std::thread> readers;
    for (size_t i = 0; i < threads; ++i)
      readers.emplace_back([&, i] {
        const uint64_t* data = block.data();
        sums[i] = std::accumulate(data + count * i / threads, data + count * (i + 1) / threads,
                                  uint64_t{0});
      });
    for (std::thread& reader : readers) reader.join();
  };
  const double seconds = shortest(4, read_all);
  if (std::accumulate(sums.begin(), sums.end(), uint64_t{0}) != count)
    fail(ErrorKind::kInternal, "memory returned other values than were written");
  return static_cast<double>(count * sizeof(uint64_t)) / seconds;
}

Json to_json(const MachineRates& rates) {
  return {{"matrix_product", rates.matrix_product},
          {"linear", rates.linear},
          {"read_bytes_per_second", rates.read_bytes_per_second},
          {"when", rates.when}};
}

MachineRates from_json(const Json& value) {
  return {.matrix_product = value.at("matrix_product").get<double>(),
          .linear = value.at("linear").get<std::map<std::string, double>>(),
          .read_bytes_per_second = value.at("read_bytes_per_second").get<double>(),
          .when = value.at("when").get<std::string>()};
}

MachineRates measure(const MeasuringStep& step) {
  const auto tell = [&](int done, const char* name) {
    if (step) step(done, 3, name);
  };
  MachineRates rates;
  tell(0, "matrix product");
  rates.matrix_product = measure_matrix_product();
  tell(1, "linear layer");
  for (tensor::Compute compute :
       {tensor::Compute::kFloat32, tensor::Compute::kBFloat16, tensor::Compute::kInt8})
    rates.linear[tensor::compute_name(compute)] = measure_linear(compute);
  tell(2, "reading memory");
  rates.read_bytes_per_second = measure_read();
  tell(3, "done");
  return rates;
}

}  // namespace

MachineRates machine_rates(bool again, const MeasuringStep& step) {
  const platform::Hardware hardware = platform::detect_hardware();
  const std::string kernels = tensor::use_cpu_kernels() ? tensor::cpu_kernel_target() : "plain";
  const std::string key = fmt::format("{} / {} cores / {} / MLX {} / {}", hardware.cpu,
                                      hardware.cores, kernels, mx::version(), TOOLKIT_VERSION);
  return remembered_rates(home_folder() / "machine.json", key, again,
                          [&] { return measure(step); });
}

MachineRates remembered_rates(const std::filesystem::path& file, const std::string& key, bool again,
                              const std::function<MachineRates()>& measure_now) {
  Json known = Json::object();
  try {
    known = parse_json(read_file(file, kFileBytes), file.string());
    if (!again) return from_json(known.at(key));
  } catch (const std::exception& error) {
    log_debug("measurements are made anew: {}", error.what());
  }
  const MachineRates rates = measure_now();
  MachineRates kept = rates;
  kept.when = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  if (!known.is_object()) known = Json::object();
  known[key] = to_json(kept);
  try {
    std::filesystem::create_directories(file.parent_path());
    write_file_atomically(file, known.dump(2) + "\n");
  } catch (const std::exception& error) {
    log_warning("measurements could not be kept: {}", error.what());
  }
  return rates;
}

}  // namespace toolkit::engine
