#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/base/progress.h"
#include "core/tensor/array_fwd.h"
#include "core/tensor/backend.h"
#include "engine/measure/choose_compute.h"
#include "mlx/device.h"
#include "mlx/version.h"
#include "models/resolve.h"
#include "projects/inspect/command.h"
#include "projects/inspect/doctor.h"

namespace toolkit::inspect {

namespace {

struct Settings {
  bool measure = true, again = false;
};

std::string backend_name(const platform::Hardware& hardware) {
  if (mx::default_device() == mx::Device::cpu) return "CPU";
  return hardware.unified_memory ? "Metal" : "CUDA";
}

std::vector<Finding> look_for_missing(const Report& report) {
  std::vector<Finding> findings;
  for (const models::SampleModel& sample : models::sample_models())
    if (sample.path.empty())
      findings.push_back(
          {"the sample model " + sample.name, "run `make setup` in the toolkit's folder"});
  if (report.log_file.empty())
    findings.push_back(
        {"a place for logs and measurements",
         shown_path(home_folder()) + " cannot be written to; set MLX_INFRASTRUCTURE_HOME"});
  if (!report.hardware.gpu.empty() && report.backend == "CPU")
    findings.push_back({"MLX for " + report.hardware.gpu,
                        "this build runs on the CPU; the wheel mlx-cuda (Linux) or mlx-metal (Mac) "
                        "brings the other"});
  return findings;
}

engine::MachineRates rates_shown(bool again, bool quiet) {
  std::optional<Progress> progress;  // only when something is measured
  const auto rates = engine::machine_rates(again, [&](int done, int of, const std::string& name) {
    if (!progress) progress.emplace("measuring", of, quiet);
    progress->update(done, name);
  });
  if (progress) progress->finish("");
  return rates;
}

Report examine(const Settings& settings, const cli::Context& context) {
  Report report{.hardware = platform::detect_hardware(),
                .available_bytes = platform::available_memory_bytes(),
                .toolkit_version = TOOLKIT_VERSION,
                .mlx_version = mx::version(),
                .kernels = tensor::use_cpu_kernels() ? tensor::cpu_kernel_target() : "plain",
                .log_file = log_file().string()};
  report.backend = backend_name(report.hardware);
  report.findings = look_for_missing(report);
  if (!settings.measure) return report;
  report.measured = rates_shown(settings.again, context.quiet);
  report.compute = tensor::compute_name(engine::fastest_compute(*report.measured));
  return report;
}

}  // namespace

cli::Command doctor_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "doctor",
          .summary = "show what this machine is, what it reaches and what is missing",
          .description =
              "Looks at processor, memory and GPU, measures matrix products and memory once (a few "
              "seconds, "
              "remembered in the toolkit's home folder), and names what is not installed.",
          .examples = {"mlx-toolkit doctor", "mlx-toolkit doctor --again       # measure anew",
                       "mlx-toolkit doctor --no-measure --json"},
          .fields = {{.name = "measure",
                      .target = &settings->measure,
                      .help = "look only, measure nothing"},
                     {.name = "again",
                      .target = &settings->again,
                      .help = "measure even if it is remembered"}},
          .run = [settings](const cli::Context& context) {
            const Report report = examine(*settings, context);
            if (!context.quiet) fmt::print("{}", to_page(report, context.color));
            return to_json(report);
          }};
}

}  // namespace toolkit::inspect
