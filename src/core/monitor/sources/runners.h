#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace toolkit::monitor {

/// A process that computes for Ollama: `llama-server ... --model <blob> --port N` or
/// `ollama runner ... --model <blob> --port N`.
struct Runner {
  int pid = 0;
  int port = 0;
  std::string model;  // what stands behind --model: a blob's path
};

/// Processor time that a process has used so far, in seconds; -1: unknown.
double processor_seconds(const std::filesystem::path& root, int pid);

/// By the command lines in /proc below `root` (Linux), or of this user's processes (macOS, where
/// `root` is not looked at).
std::vector<Runner> find_runners(const std::filesystem::path& root);

/// The runner that these words start; port 0: they start none.
Runner runner_of(const std::vector<std::string>& words);

/// How Ollama calls the model of `blob` among `names`, by the manifests in its store; "" if no
/// manifest of these names it.
std::string model_of_blob(const std::filesystem::path& ollama_models, const std::string& blob,
                          const std::vector<std::string>& names);

}  // namespace toolkit::monitor
