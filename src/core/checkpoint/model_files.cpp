#include "core/checkpoint/model_files.h"

#include "core/base/error.h"
#include "core/checkpoint/gguf_model.h"
#include "core/checkpoint/hf_folder.h"
#include "core/checkpoint/input_file.h"

namespace toolkit::checkpoint {

namespace fs = std::filesystem;

std::unique_ptr<ModelFiles> open_model_files(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status))
    fail(ErrorKind::kNotFound, "{}: there is no such model folder or file", path.string());
  if (fs::is_directory(status)) return open_hf_folder(path);
  const InputFile file(path);
  char magic[4] = {};
  if (file.size() >= 4) file.read(0, magic, 4);
  const std::string start(magic, 4);
  if (start == "GGUF" || path.extension() == ".gguf") return open_gguf_model(path);
  if (path.extension() == ".safetensors")
    fail(ErrorKind::kUserInput,
         "{}: expected a model folder or a .gguf file; name the folder of this file instead",
         path.string());
  fail(ErrorKind::kUserInput,
       "{}: expected a model folder (config.json and safetensors files) or a .gguf file",
       path.string());
}

}  // namespace toolkit::checkpoint
