#pragma once

#include <filesystem>
#include <string>

namespace toolkit::finetune {

/// Writes `model` with the whole weights of the adapter in `output` in their places as a Hugging
/// Face folder, output/model, which needs neither the base nor this program: what --method full
/// leaves. Each weight has the type the base has it in, packed ones that of their scales. A folder
/// of an earlier run makes room first. Throws Error(kIo) if the disk is too full.
std::filesystem::path write_model_folder(const std::string& model,
                                         const std::filesystem::path& output, bool quiet);

}  // namespace toolkit::finetune
