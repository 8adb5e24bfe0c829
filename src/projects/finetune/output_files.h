#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/checkpoint/adapter.h"
#include "engine/train/training_state.h"

namespace toolkit::finetune {

/// What a run leaves in its folder:
///   adapters.safetensors, adapter_config.json   the adapter (mlx-lm's layout); while the run goes
///   the
///                                               last one saved, in the end the best one
///   best/                                       the adapter with the lowest validation loss so far
///   training_state.safetensors                  what --resume needs
///   run.json, metrics.jsonl, loss.svg
/// Every file is replaced atomically: a kill or a full disk leaves the one before.
class OutputFiles {
 public:
  using Tensors = std::map<std::string, mx::array>;

  /// Creates the folder and tries to write in it. `form` is the adapter without its tensors;
  /// `saved_form` makes them of what is trained (engine::adapter_tensors).
  OutputFiles(std::filesystem::path folder, checkpoint::Adapter form,
              std::function<Tensors(Tensors)> saved_form);

  void save(const engine::TrainingState& state, bool best);
  /// At the end: makes the best adapter the adapter. False if the last one is the best.
  bool keep_best(int64_t best_step, int64_t last_step);
  void save_plot(const std::string& title, const std::vector<std::pair<double, double>>& training,
                 const std::vector<std::pair<double, double>>& validation);

  std::filesystem::path folder() const { return folder_; }
  std::filesystem::path plot() const { return folder_ / "loss.svg"; }
  std::filesystem::path state() const { return folder_ / "training_state.safetensors"; }

 private:
  std::filesystem::path folder_;
  checkpoint::Adapter form_;
  std::function<Tensors(Tensors)> saved_form_;
};

/// The folder can be made and written: found out before anything costly. Throws Error(kIo).
void check_writable(const std::filesystem::path& folder);

}  // namespace toolkit::finetune
