#pragma once

#include <memory>
#include <string>

#include "core/monitor/sources/proxy_requests.h"

namespace toolkit::monitor {

struct ProxyOptions {
  std::string upstream;  // URL of the server behind it: Ollama, llama-server, any with their APIs
  int port = 11435;      // on 127.0.0.1; 0: any free one
};

/// A reverse proxy on this machine's loopback that counts: every request goes to the server behind
/// it with Host rewritten, every byte of the answer comes back at once. Of answers to
/// /api/generate, /api/chat, /v1/chat/completions, /v1/completions, /v1/responses and /v1/messages
/// it counts pieces and reads the final figures; of requests it reads the model's name. It keeps no
/// text. A client that goes ends its request at the server, too. GET kProxyPath tells what runs.
class Proxy {
 public:
  /// Throws Error(kIo) when the port is taken, Error(kUserInput) for an upstream that is no URL.
  explicit Proxy(const ProxyOptions& options);
  ~Proxy();
  int port() const;
  ProxyRequests requests() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace toolkit::monitor
