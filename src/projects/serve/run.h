#pragma once

#include <functional>
#include <string>

#include "projects/serve/config.h"

namespace toolkit::serve {

/// Listening, before the models of the start are loaded.
struct Started {
  std::string url;  // "http://127.0.0.1:8080"
  bool needs_token = false;
};

struct Ended {
  bool drained = true;  // nothing had to be cut off
};

/// Serves until Ctrl-C or SIGTERM, then lets what runs finish. `started` is told the address,
/// `ready` when the given models are loaded. Throws what keeps it from serving: a port that is
/// taken, a model that cannot be loaded.
Ended run(const Config& config, const std::function<void(const Started&)>& started,
          const std::function<void()>& ready);

}  // namespace toolkit::serve
