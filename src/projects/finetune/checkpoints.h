#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/train/training_state.h"

namespace toolkit::finetune {

/// One complete checkpoint: a folder with what was trained so far and training_state.safetensors.
struct Checkpoint {
  int64_t step;
  std::filesystem::path folder;
  std::filesystem::path state() const { return folder / "training_state.safetensors"; }
};

/// The checkpoints of a run, `checkpoints/step-000123` in its folder. Each is written under another
/// name and renamed when it is complete and on disk: a kill at any moment leaves whole ones only.
class Checkpoints {
 public:
  /// `keep` newest ones stay, and the best one.
  Checkpoints(std::filesystem::path run_folder, int keep);

  /// `write_model` writes what was trained into the folder it is given. The first call removes
  /// what a former run left behind the step where this one began (`start_at`).
  void save(const engine::TrainingState& state,
            const std::function<void(const std::filesystem::path&)>& write_model);
  /// This run goes on from `state`: what came later in its folder is of a run that is given up.
  void start_at(int64_t step) { started_at_ = step; }
  /// Brings a checkpoint of another run's folder here, as one of this run.
  void adopt(const Checkpoint& other);

  std::vector<Checkpoint> all() const;  // oldest first
  std::optional<Checkpoint> newest() const;
  std::optional<Checkpoint> of_step(int64_t step) const;

 private:
  void remove_behind(int64_t step) const;
  void prune(int64_t best_step) const;

  std::filesystem::path folder_;
  int keep_;
  int64_t started_at_ = 0;
  bool first_ = true;
};

/// "step-000123"
std::string checkpoint_name(int64_t step);

/// The checkpoint that `path` is, or the newest one of the run folder that it is. Throws
/// Error(kNotFound) saying what was looked for.
Checkpoint find_checkpoint(const std::filesystem::path& path);

}  // namespace toolkit::finetune
