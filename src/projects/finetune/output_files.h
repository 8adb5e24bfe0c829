#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/checkpoint/adapter.h"
#include "engine/train/training_state.h"
#include "projects/finetune/checkpoints.h"

namespace toolkit::finetune {

/// What a run leaves in its folder:
///   adapters.safetensors, adapter_config.json   the adapter (mlx-lm's layout); while the run goes
///   the last one saved, in the end the best one
///   checkpoints/step-000123/                    the same with what --resume needs (Checkpoints)
///   model/    of --method full: the trained model as a Hugging Face folder (model_folder.h)
///   run.json, metrics.jsonl, loss.svg
/// Every file is replaced atomically: a kill or a full disk leaves the one before.
class OutputFiles {
 public:
  using Tensors = std::map<std::string, mx::array>;

  /// Creates the folder and tries to write in it. `form` is the adapter without its tensors;
  /// `saved_form` makes them of what is trained (engine::adapter_tensors); `keep` newest
  /// checkpoints stay.
  OutputFiles(std::filesystem::path folder, checkpoint::Adapter form,
              std::function<Tensors(Tensors)> saved_form, int keep);

  void save(const engine::TrainingState& state);
  /// The state to go on from: that of the checkpoint `from` (or of the newest one in the run folder
  /// `from`), or of the newest one here if it is empty. A best checkpoint of another folder is
  /// brought here.
  engine::TrainingState resume(const std::filesystem::path& from);
  /// At the end: makes the best adapter the adapter. False if the last one is the best.
  bool keep_best(int64_t best_step, int64_t last_step);
  void save_plot(const std::string& title, const std::string& unit,
                 const std::vector<std::pair<double, double>>& training,
                 const std::vector<std::pair<double, double>>& validation);

  std::filesystem::path folder() const { return folder_; }
  std::filesystem::path plot() const { return folder_ / "loss.svg"; }

 private:
  std::filesystem::path folder_;
  checkpoint::Adapter form_;
  std::function<Tensors(Tensors)> saved_form_;
  Checkpoints checkpoints_;
};

/// The folder can be made and written: found out before anything costly. Throws Error(kIo).
void check_writable(const std::filesystem::path& folder);

}  // namespace toolkit::finetune
