#include "projects/inspect/measure.h"

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
#include "core/platform/hardware.h"
#include "core/tensor/array_fwd.h"
#include "engine/measure/choose_compute.h"
#include "mlx/ops.h"
#include "mlx/random.h"
#include "mlx/transforms.h"

namespace toolkit::inspect {

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

Json to_json(const Measured& measured) {
  return {{"matrix_product", measured.matrix_product},
          {"linear", measured.linear},
          {"read_bytes_per_second", measured.read_bytes_per_second},
          {"when", measured.when}};
}

Measured from_json(const Json& value) {
  return {.matrix_product = value.at("matrix_product").get<double>(),
          .linear = value.at("linear").get<std::map<std::string, double>>(),
          .read_bytes_per_second = value.at("read_bytes_per_second").get<double>(),
          .when = value.at("when").get<std::string>()};
}

}  // namespace

Measured measure(const std::function<void(int, int, const std::string&)>& step) {
  Measured measured;
  step(0, 3, "matrix product");
  measured.matrix_product = measure_matrix_product();
  step(1, 3, "linear layer");
  for (const auto& [name, rate] : engine::measure_compute())
    measured.linear[name] = 2 * rate;  // a multiplication and an addition each
  step(2, 3, "reading memory");
  measured.read_bytes_per_second = measure_read();
  step(3, 3, "done");
  return measured;
}

Measured remembered(const std::filesystem::path& file, const std::string& key, bool again,
                    const std::function<Measured()>& measure_now) {
  Json known = Json::object();
  try {
    known = parse_json(read_file(file, kFileBytes), file.string());
    if (!again) return from_json(known.at(key));
  } catch (const std::exception& error) {
    log_debug("measurements are made anew: {}", error.what());
  }
  const Measured measured = measure_now();
  Measured kept = measured;
  kept.when = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  if (!known.is_object()) known = Json::object();
  known[key] = to_json(kept);
  try {
    std::filesystem::create_directories(file.parent_path());
    write_file_atomically(file, known.dump(2) + "\n");
  } catch (const std::exception& error) {
    log_warning("measurements could not be kept: {}", error.what());
  }
  return measured;
}

}  // namespace toolkit::inspect
