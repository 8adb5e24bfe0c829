#include "core/model_store/upkeep/verify.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/hash/hasher.h"
#include "core/model_store/registry/hash_memory.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

std::vector<ModelRecord> chosen(Registry& registry, const std::vector<ModelName>& only) {
  if (only.empty()) return registry.models();
  std::vector<ModelRecord> models;
  for (const ModelName& name : only) {
    auto model = registry.find(name);
    if (!model)
      fail(ErrorKind::kNotFound, "{} is not in the cache: `mlx-cache add {}`", name.uri(),
           name.uri());
    models.push_back(std::move(*model));
  }
  return models;
}

std::string next_step(const ModelRecord& model) {
  return model.is_symlink
             ? "`mlx-cache sync` looks where it is now"
             : fmt::format("`mlx-cache add {}` fetches what is damaged anew", model.name.uri());
}

class Verifier {
 public:
  Verifier(Registry& registry, VerifyReport& report, VerifyDepth depth,
           const std::function<void(uint64_t, uint64_t)>& progress, uint64_t total)
      : memory_(registry.database()),
        report_(report),
        depth_(depth),
        progress_(progress),
        total_(total) {}

  /// True if the file is what the registry says.
  bool verify(const ModelRecord& model, const fs::path& folder, const FileRecord& file) {
    ++report_.files;
    const fs::path path = folder / file.name;
    const auto fault = [&](const std::string& expected, const std::string& found) {
      report_.faults.push_back({model.name, file.name, expected, found, next_step(model)});
      base_ += file.size_bytes;
      return false;
    };
    try {
      const auto name = files::identity_of(path);
      const auto there = files::resolved_identity(path);
      if (!there) return fault("a file", name ? "a link that leads nowhere" : "nothing");
      if (there->kind != files::FileKind::kFile) return fault("a file", "something else");
      if (there->size_bytes != file.size_bytes)
        return fault(fmt::format("{} bytes", file.size_bytes),
                     fmt::format("{} bytes", there->size_bytes));
      if (depth_ == VerifyDepth::kSizes || file.sha256.empty()) return true;
      const std::string found = hash::hash_file(path, hash::Algorithm::kSha256, [&](uint64_t done) {
                                  if (progress_) progress_(base_ + done, total_);
                                }).hex;
      if (found != file.sha256) return fault("sha256 " + file.sha256, "sha256 " + found);
      memory_.remember(*there, found);
      base_ += file.size_bytes;
      report_.bytes += file.size_bytes;
      return true;
    } catch (const Error& error) {
      return fault("a readable file", error.what());
    }
  }

 private:
  HashMemory memory_;
  VerifyReport& report_;
  VerifyDepth depth_;
  const std::function<void(uint64_t, uint64_t)>& progress_;
  uint64_t total_ = 0, base_ = 0;
};

}  // namespace

VerifyReport verify_models(Registry& registry, const Layout& layout,
                           const std::vector<ModelName>& only, VerifyDepth depth,
                           const std::function<void(uint64_t done, uint64_t total)>& progress) {
  if (!store_is_there(layout))
    fail(ErrorKind::kNotFound, "{}: there is no model cache (is its volume mounted?)",
         layout.root.string());
  const std::vector<ModelRecord> models = chosen(registry, only);
  VerifyReport report;
  uint64_t total = 0;
  for (const ModelRecord& model : models) total += model.size_bytes;
  Verifier verifier(registry, report, depth, progress, total);
  for (const ModelRecord& model : models) {
    ++report.models;
    const fs::path folder = layout.model_folder(model.name);
    bool whole = true, any = false;
    for (const FileRecord& file : registry.files_of(model.name)) {
      const bool good = verifier.verify(model, folder, file);
      whole = whole && good;
      any = any || files::identity_of(folder / file.name).has_value();
    }
    const std::string state = whole ? "ready" : any ? "damaged" : "missing";
    // A look at sizes proves a fault, but heals none.
    if (state == model.state || (whole && depth == VerifyDepth::kSizes)) continue;
    if (!registry.database().read_only()) registry.set_state(model.name, state);
    log_info("{}: {} -> {}", model.name.uri(), model.state, state);
  }
  return report;
}

}  // namespace toolkit::model_store
