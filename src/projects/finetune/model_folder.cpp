#include "projects/finetune/model_folder.h"

#include "core/base/progress.h"
#include "core/checkpoint/adapter.h"
#include "core/checkpoint/write/converted_model.h"
#include "core/checkpoint/write/hf_writer.h"
#include "models/resolve.h"

namespace toolkit::finetune {

std::filesystem::path write_model_folder(const std::string& model,
                                         const std::filesystem::path& output, bool quiet) {
  const checkpoint::ConvertedModel trained(
      checkpoint::open_model_files(models::resolve_model(model)), checkpoint::load_adapter(output),
      {.kind = checkpoint::TargetForm::Kind::kDense});
  std::filesystem::path folder = output / "model";
  std::filesystem::remove_all(folder);
  Progress progress("writing", static_cast<int64_t>(trained.size_bytes() >> 20), quiet);
  checkpoint::save_hf_folder(folder, trained, {.progress = [&](uint64_t done, uint64_t) {
                               progress.update(static_cast<int64_t>(done >> 20));
                             }});
  progress.finish();
  return folder;
}

}  // namespace toolkit::finetune
