#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "engine/embed/text_embedder.h"
#include "projects/serve/errand_thread.h"

namespace toolkit::serve {

struct EmbedderOptions {
  std::function<std::unique_ptr<engine::TextEmbedder>(const std::string& base)> load;
  std::function<void(const std::string& base)> check_room;  // throws where there is none
  double keep_alive_seconds = 300;
};

/// The models that make embeddings, on one thread of their own. The one asked for last stays for
/// its time, at most two at once.
class Embedders {
 public:
  explicit Embedders(EmbedderOptions options) : options_(std::move(options)), thread_(256) {}

  /// Calls `then` on that thread, where what it throws must not leave; false if too many wait.
  bool use(const std::string& base,
           std::function<void(const engine::TextEmbedder&, double load_seconds)> then,
           std::function<void(std::exception_ptr)> failed);

 private:
  struct Loaded {
    std::unique_ptr<engine::TextEmbedder> embedder;
    std::chrono::steady_clock::time_point used;
  };
  const engine::TextEmbedder& loaded(const std::string& base);

  EmbedderOptions options_;
  std::map<std::string, Loaded> loaded_;  // of the thread
  ErrandThread thread_;
};

}  // namespace toolkit::serve
