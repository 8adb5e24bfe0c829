#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/embed/text_embedder.h"
#include "projects/serve/errand_thread.h"
#include "projects/serve/model_pool.h"

namespace toolkit::serve {

struct EmbedderOptions {
  std::function<std::unique_ptr<engine::TextEmbedder>(const std::string& base)> load;
  /// The bytes it will hold; throws where there is no room for them.
  std::function<int64_t(const std::string& base)> check_room;
  double keep_alive_seconds = 300;  // below 0: for ever
  std::function<bool()> short_of_memory = [] { return false; };
};

/// What makes embeddings, on one thread of its own. Encoders are loaded here, at most two at once;
/// each stays for its time after its last use, shorter where memory is short. A language model is
/// the pool's, the same that answers; passes over it are done between the steps of its engine.
class Embedders {
 public:
  explicit Embedders(EmbedderOptions options)
      : options_(std::move(options)), thread_(256, [this] { unload_unused(); }) {}

  using Then = std::function<void(const engine::TextEmbedder&, double load_seconds)>;
  using Failed = std::function<void(std::exception_ptr)>;
  /// Calls `then` on that thread; what it throws goes to `failed`. False if too many wait.
  bool use(const std::string& encoder, std::optional<double> keep_alive, Then then, Failed failed);
  bool use(ModelLease model, Then then, Failed failed);
  /// As soon as it is not used.
  void unload(const std::string& encoder);
  std::vector<LoadedInfo> loaded() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Encoder {
    std::unique_ptr<engine::TextEmbedder> embedder;
    int64_t size_bytes;
    double keep_alive_seconds;
    Clock::time_point used = Clock::now();
  };
  const engine::TextEmbedder& load(const std::string& base, std::optional<double> keep_alive);
  void unload_unused();

  EmbedderOptions options_;
  mutable std::mutex mutex_;
  std::map<std::string, Encoder> loaded_;  // changed by the thread alone
  ErrandThread thread_;
};

}  // namespace toolkit::serve
