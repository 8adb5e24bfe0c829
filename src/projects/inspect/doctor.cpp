#include "projects/inspect/doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "core/base/paths.h"

namespace toolkit::inspect {

namespace {

std::string gigabytes(int64_t bytes) {
  return fmt::format("{:.1f} GB", static_cast<double>(bytes) / 1e9);
}

std::string giga(double per_second, const char* unit) {
  return per_second > 0 ? fmt::format("{:.0f} {}", per_second / 1e9, unit) : "not measured";
}

class Page {
 public:
  explicit Page(bool color) : color_(color) {}

  void heading(const std::string& text) {
    text_ += (text_.empty() ? "" : "\n") + (color_ ? "\x1b[1m" + text + "\x1b[0m" : text) + "\n";
  }
  void row(const std::string& name, const std::string& value) {
    text_ += fmt::format("  {:<24}{}\n", name, value);
  }
  void line(const std::string& text) { text_ += "  " + text + "\n"; }
  std::string text() const { return text_; }

 private:
  bool color_;
  std::string text_;
};

void add_machine(Page& page, const Report& report) {
  const platform::Hardware& hardware = report.hardware;
  page.heading("Machine");
  page.row("system", hardware.os);
  page.row("processor", fmt::format("{}, {} {}", hardware.cpu, hardware.cores,
                                    hardware.cores == 1 ? "core" : "cores"));
  page.row("instruction sets", fmt::format("{}", fmt::join(hardware.instruction_sets, " ")));
  page.row("memory", fmt::format("{}, {} available", gigabytes(hardware.memory_bytes),
                                 gigabytes(report.available_bytes)));
  if (hardware.gpu.empty())
    page.row("GPU", "none found");
  else if (hardware.unified_memory)
    page.row("GPU", hardware.gpu + ", memory shared with the processor");
  else
    page.row("GPU", fmt::format("{}, {}", hardware.gpu, gigabytes(hardware.gpu_memory_bytes)));
  if (hardware.neural_engine) page.row("Neural Engine", "yes");
}

void add_engine(Page& page, const Report& report) {
  page.heading("Engine");
  page.row("mlx-toolkit", report.toolkit_version);
  page.row("MLX", fmt::format("{} on {}", report.mlx_version, report.backend));
  page.row("kernels", kernel_text(report.kernels));
  page.row("log", report.log_file.empty() ? "none (the home folder cannot be written to)"
                                          : shown_path(report.log_file));
}

void add_measured(Page& page, const Report& report) {
  if (!report.measured) return;
  const engine::MachineRates& measured = *report.measured;
  page.heading(measured.when.empty() ? "Measured now"
                                     : "Measured " + measured.when + " (--again measures anew)");
  page.row("MLX matrix product f32", giga(measured.matrix_product, "GFLOP/s"));
  for (const char* name : {"f32", "bf16", "int8"}) {
    const auto found = measured.linear.find(name);
    if (found != measured.linear.end())
      page.row(fmt::format("linear layer {}", name),
               giga(found->second, std::string(name) == "int8" ? "GOP/s" : "GFLOP/s") +
                   ", forward and backward");
  }
  page.row("reading memory", giga(measured.read_bytes_per_second, "GB/s"));
  if (!report.compute.empty()) page.row("--compute auto is", report.compute);
}

}  // namespace

std::string kernel_text(const std::string& target) {
  if (target.empty() || target == "plain") return "MLX's own";
  if (target == "AMX") return "ours, for AVX-512 and AMX tiles (AMX)";
  if (target.starts_with("AVX3")) return "ours, for AVX-512 (" + target + ")";
  return "ours, for " + target;
}

std::string to_page(const Report& report, bool color) {
  Page page(color);
  add_machine(page, report);
  add_engine(page, report);
  add_measured(page, report);
  page.heading(report.findings.empty() ? "Nothing is missing." : "Missing");
  for (const Finding& finding : report.findings) page.line(finding.what + ": " + finding.remedy);
  return page.text();
}

nlohmann::json to_json(const Report& report) {
  const platform::Hardware& hardware = report.hardware;
  nlohmann::json value{{"machine",
                        {{"os", hardware.os},
                         {"cpu", hardware.cpu},
                         {"cores", hardware.cores},
                         {"instruction_sets", hardware.instruction_sets},
                         {"memory_bytes", hardware.memory_bytes},
                         {"available_bytes", report.available_bytes},
                         {"gpu", hardware.gpu},
                         {"gpu_cores", hardware.gpu_cores},
                         {"gpu_memory_bytes", hardware.gpu_memory_bytes},
                         {"unified_memory", hardware.unified_memory},
                         {"neural_engine", hardware.neural_engine}}},
                       {"engine",
                        {{"version", report.toolkit_version},
                         {"mlx_version", report.mlx_version},
                         {"backend", report.backend},
                         {"kernels", report.kernels},
                         {"log_file", report.log_file}}},
                       {"missing", nlohmann::json::array()}};
  for (const Finding& finding : report.findings)
    value["missing"].push_back({{"what", finding.what}, {"remedy", finding.remedy}});
  if (!report.measured) return value;
  const engine::MachineRates& measured = *report.measured;
  value["measured"] = {{"matrix_product_flops", measured.matrix_product},
                       {"linear_ops", measured.linear},
                       {"read_bytes_per_second", measured.read_bytes_per_second},
                       {"when", measured.when},
                       {"compute_auto", report.compute}};
  return value;
}

}  // namespace toolkit::inspect
