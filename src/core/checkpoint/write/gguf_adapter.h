#pragma once

#include <filesystem>

#include "core/checkpoint/adapter.h"
#include "core/checkpoint/model_files.h"

namespace toolkit::checkpoint {

/// Writes a LoRA adapter as GGUF, for llama.cpp's --lora and Ollama's ADAPTER: one alpha for all,
/// so other scales go into b. `model` is the base, whose architecture gives names and the order of
/// rows. Throws Error(kUserInput) for a method GGUF cannot express or an adapter that does not fit.
void save_gguf_adapter(const std::filesystem::path& path, const Adapter& adapter,
                       const ModelFiles& model);

}  // namespace toolkit::checkpoint
