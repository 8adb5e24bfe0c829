#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/checkpoint/gguf_names.h"
#include "core/checkpoint/model_files.h"

namespace toolkit::checkpoint {

struct GgufSaveOptions {
  std::string name;                                             // general.name
  std::function<void(uint64_t done, uint64_t total)> progress;  // bytes of tensors
};

/// Writes a model as GGUF: configuration, tokenizer, chat template and weights in the form the
/// files have them (dense, or packed groups that a block type holds), norms and biases in F32. q
/// and k rows are put in the order llama.cpp rotates them, a tied head is left out. Throws
/// Error(kUnsupported) for an architecture or tokenizer GGUF has no words for.
void save_gguf(const std::filesystem::path& path, const ModelFiles& model,
               const GgufSaveOptions& options);

/// Rows of q and k in GGUF's order: row i of the file is row order[i] of Hugging Face's weight.
/// Empty for modules whose rows stay. Throws Error(kUserInput) if they do not divide into heads.
std::vector<int> gguf_row_order(const std::string& module, int rows, const Json& config,
                                const GgufArchitecture& architecture);

}  // namespace toolkit::checkpoint
