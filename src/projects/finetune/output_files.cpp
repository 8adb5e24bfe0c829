#include "projects/finetune/output_files.h"

#include <algorithm>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/report/line_plot.h"

namespace toolkit::finetune {

namespace {

// Mean over the steps around each one: single steps see too few rows for a readable curve.
report::Series smoothed(const std::vector<std::pair<double, double>>& points) {
  report::Series series{.name = "training (smoothed)"};
  const int count = static_cast<int>(points.size()), reach = std::max(1, count / 50);
  for (int i = 0; i < count; ++i) {
    const int begin = std::max(0, i - reach), end = std::min(count, i + reach + 1);
    double sum = 0;
    for (int k = begin; k < end; ++k) sum += points[k].second;
    series.x.push_back(points[i].first);
    series.y.push_back(sum / (end - begin));
  }
  return series;
}

}  // namespace

void check_writable(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    fail(ErrorKind::kIo, "the output folder {} cannot be made: {}", folder.string(),
         error.message());
  const std::filesystem::path probe = folder / ".writable";
  write_file_atomically(probe, "");
  std::filesystem::remove(probe, error);
}

OutputFiles::OutputFiles(std::filesystem::path folder, checkpoint::Adapter form,
                         std::function<Tensors(Tensors)> saved_form)
    : folder_(std::move(folder)), form_(std::move(form)), saved_form_(std::move(saved_form)) {
  check_writable(folder_);
}

void OutputFiles::save(const engine::TrainingState& state, bool best) {
  checkpoint::Adapter adapter = form_;
  adapter.tensors = saved_form_(state.parameters);
  if (best) {
    check_writable(folder_ / "best");
    checkpoint::save_adapter(folder_ / "best", adapter);
  }
  checkpoint::save_adapter(folder_, adapter);
  engine::save_training_state(this->state(), state);
}

bool OutputFiles::keep_best(int64_t best_step, int64_t last_step) {
  const std::filesystem::path best = folder_ / "best";
  const bool other = best_step >= 0 && best_step != last_step;
  if (other) checkpoint::save_adapter(folder_, checkpoint::load_adapter(best));
  std::error_code ignored;
  std::filesystem::remove_all(best, ignored);
  return other;
}

void OutputFiles::save_plot(const std::string& title,
                            const std::vector<std::pair<double, double>>& training,
                            const std::vector<std::pair<double, double>>& validation) {
  report::LinePlot plot{.title = title, .x_label = "step", .y_label = "loss (nats per token)"};
  if (!training.empty()) plot.series.push_back(smoothed(training));
  if (!validation.empty()) {
    report::Series points{.name = "validation", .markers = true};
    for (const auto& [step, loss] : validation) {
      points.x.push_back(step);
      points.y.push_back(loss);
    }
    plot.series.push_back(points);
  }
  write_file_atomically(this->plot(), report::to_svg(plot));
}

}  // namespace toolkit::finetune
