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
                         std::function<Tensors(Tensors)> saved_form, int keep)
    : folder_(std::move(folder)),
      form_(std::move(form)),
      saved_form_(std::move(saved_form)),
      checkpoints_(folder_, keep) {
  check_writable(folder_);
}

void OutputFiles::save(const engine::TrainingState& state) {
  checkpoint::Adapter adapter = form_;
  adapter.tensors = saved_form_(state.parameters);
  checkpoints_.save(
      state, [&](const std::filesystem::path& place) { checkpoint::save_adapter(place, adapter); });
  checkpoint::save_adapter(folder_, adapter);
}

engine::TrainingState OutputFiles::resume(const std::filesystem::path& from) {
  const Checkpoint start = find_checkpoint(from.empty() ? folder_ : from);
  auto state = engine::load_training_state(start.state());
  if (!state)
    fail(ErrorKind::kNotFound, "{} has no training_state.safetensors", start.folder.string());
  checkpoints_.start_at(start.step);
  if (state->best_step < 0 || checkpoints_.of_step(state->best_step)) return *state;
  const Checkpoint best =
      state->best_step == start.step
          ? start
          : find_checkpoint(start.folder.parent_path() / checkpoint_name(state->best_step));
  checkpoints_.adopt(best);
  return *state;
}

bool OutputFiles::keep_best(int64_t best_step, int64_t last_step) {
  if (best_step < 0 || best_step == last_step) return false;
  const auto best = checkpoints_.of_step(best_step);
  if (!best)
    fail(ErrorKind::kNotFound, "{} has no checkpoint of step {}, which was the best",
         folder_.string(), best_step);
  checkpoint::save_adapter(folder_, checkpoint::load_adapter(best->folder));
  return true;
}

void OutputFiles::save_plot(const std::string& title, const std::string& unit,
                            const std::vector<std::pair<double, double>>& training,
                            const std::vector<std::pair<double, double>>& validation) {
  report::LinePlot plot{.title = title, .x_label = "step", .y_label = unit};
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
