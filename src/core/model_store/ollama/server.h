#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/http/client.h"

namespace toolkit::model_store::ollama {

struct ServerModel {
  std::string name, digest;
  uint64_t size_bytes = 0;
};

/// The running Ollama (`/api/version`, `/api/tags`, `/api/ps`, `/api/pull`).
class Server {
 public:
  Server(http::Client& client, std::string host_url);
  /// Empty when nobody answers: then stores are still read from disk.
  std::optional<std::string> version();
  /// Throws Error(kNetwork) "Ollama does not answer at ...: start it with `ollama serve`, or
  /// install it from https://ollama.com/download".
  std::vector<ServerModel> models();
  /// Those it has in memory; none when nobody answers.
  std::vector<ServerModel> loaded();
  /// The same error unless it answers.
  void require();
  /// `insecure`: its registry may be asked in the clear.
  void pull(const std::string& model, bool insecure,
            const std::function<void(const std::string& status, uint64_t done, uint64_t total)>&);

 private:
  http::Client& client_;
  std::string host_url_;
};

}  // namespace toolkit::model_store::ollama
