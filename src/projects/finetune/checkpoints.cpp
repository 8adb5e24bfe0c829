#include "projects/finetune/checkpoints.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "core/base/error.h"
#include "core/files/folder.h"

namespace toolkit::finetune {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = "step-", kPartial = ".partial";

// The step of a complete checkpoint's name; nothing for any other name.
std::optional<int64_t> step_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stopped, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc() || stopped != end || step < 0) return std::nullopt;
  return step;
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    paths.push_back(at->path());
  return paths;
}

void remove_folder(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) fail(ErrorKind::kIo, "{} cannot be removed: {}", folder.string(), error.message());
}

// A checkpoint loses its name first: a kill while its files go leaves none that looks complete.
void discard(const fs::path& folder) {
  const fs::path nameless = folder.string() + std::string(kPartial);
  remove_folder(nameless);
  std::error_code error;
  fs::rename(folder, nameless, error);
  remove_folder(error ? folder : nameless);
}

}  // namespace

std::string checkpoint_name(int64_t step) {
  return fmt::format("{}{:06}", kPrefix, step);
}

Checkpoints::Checkpoints(fs::path run_folder, int keep)
    : folder_(std::move(run_folder) / "checkpoints"), keep_(std::max(1, keep)) {}

void Checkpoints::save(const engine::TrainingState& state,
                       const std::function<void(const fs::path&)>& write_model) {
  const files::Folder folder = files::Folder::open_or_create(folder_);
  if (first_) {
    for (const fs::path& path : entries(folder_))
      if (path.filename().string().ends_with(kPartial)) remove_folder(path);
    remove_behind(started_at_);
    first_ = false;
  }
  const std::string name = checkpoint_name(state.step), partial = name + std::string(kPartial);
  if (fs::exists(folder_ / name)) return;  // this run's: nothing was learned since
  remove_folder(folder_ / partial);
  const Checkpoint made{state.step, folder_ / partial};
  fs::create_directory(made.folder);
  write_model(made.folder);
  engine::save_training_state(made.state(), state);
  folder.rename(partial, name);
  prune(state.best_step);
}

void Checkpoints::adopt(const Checkpoint& other) {
  const files::Folder folder = files::Folder::open_or_create(folder_);
  const std::string name = checkpoint_name(other.step), partial = name + std::string(kPartial);
  std::error_code error;
  if (fs::equivalent(other.folder, folder_ / name, error)) return;
  remove_folder(folder_ / partial);
  fs::copy(other.folder, folder_ / partial, error);
  if (error)
    fail(ErrorKind::kIo, "{} cannot be copied to {}: {}", other.folder.string(), folder_.string(),
         error.message());
  if (fs::exists(folder_ / name)) discard(folder_ / name);
  folder.rename(partial, name);
}

std::vector<Checkpoint> Checkpoints::all() const {
  std::vector<Checkpoint> found;
  for (const fs::path& path : entries(folder_))
    if (const auto step = step_of(path.filename().string())) found.push_back({*step, path});
  std::sort(found.begin(), found.end(),
            [](const Checkpoint& a, const Checkpoint& b) { return a.step < b.step; });
  return found;
}

std::optional<Checkpoint> Checkpoints::newest() const {
  const std::vector<Checkpoint> found = all();
  if (found.empty()) return std::nullopt;
  return found.back();
}

std::optional<Checkpoint> Checkpoints::of_step(int64_t step) const {
  for (const Checkpoint& checkpoint : all())
    if (checkpoint.step == step) return checkpoint;
  return std::nullopt;
}

void Checkpoints::remove_behind(int64_t step) const {
  for (const Checkpoint& checkpoint : all())
    if (checkpoint.step > step || step == 0) discard(checkpoint.folder);
}

void Checkpoints::prune(int64_t best_step) const {
  const std::vector<Checkpoint> found = all();
  const auto kept = static_cast<size_t>(keep_);
  for (size_t i = 0; i + kept < found.size(); ++i)
    if (found[i].step != best_step) discard(found[i].folder);
}

Checkpoint find_checkpoint(const fs::path& path) {
  const fs::path given = (path / "").parent_path();  // without a slash at the end
  if (const auto step = step_of(given.filename().string()); step && fs::is_directory(given)) {
    const Checkpoint checkpoint{*step, given};
    if (!fs::exists(checkpoint.state()))
      fail(ErrorKind::kNotFound, "{} is no checkpoint: it has no training_state.safetensors",
           given.string());
    return checkpoint;
  }
  if (const auto newest = Checkpoints(given, 1).newest()) return *newest;
  fail(
      ErrorKind::kNotFound,
      "no checkpoint in {}: expected checkpoints/step-<number> in a run's folder, or such a folder "
      "itself; leave --resume out to start a new run",
      given.string());
}

}  // namespace toolkit::finetune
