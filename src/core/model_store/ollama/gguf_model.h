#pragma once

#include <filesystem>
#include <string>

namespace toolkit::model_store::ollama {

/// The config blob (ConfigV2) that Ollama keeps beside a GGUF: model_format, model_family,
/// model_families, model_type ("134.5M"), file_type ("Q4_1"), from the file's checked header.
std::string config_of_gguf(const std::filesystem::path& gguf);

/// Ollama's template for a GGUF's own chat template where it is one it knows, else "".
std::string template_of_gguf(const std::filesystem::path& gguf);

}  // namespace toolkit::model_store::ollama
