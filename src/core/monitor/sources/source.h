#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/base/json.h"
#include "core/http/client.h"
#include "core/monitor/sources/server_state.h"

namespace toolkit::monitor {

/// One server that is looked at again and again.
class Source {
 public:
  virtual ~Source() = default;
  /// Never throws: what went wrong is in the state. `time_s`: a clock that never goes back.
  virtual ServerState look(double time_s) = 0;
};

/// Quick GET requests to one server on this machine or elsewhere; an answer that takes over two
/// seconds, or more than 4 MiB, is none.
class Probe {
 public:
  explicit Probe(std::string url);
  /// The body of a 200; empty otherwise, with why in `trouble`.
  std::optional<std::string> text(const std::string& path, std::string& trouble);
  /// The same as JSON.
  std::optional<Json> json(const std::string& path, std::string& trouble);
  const std::string& url() const { return url_; }
  /// Why the last request brought nothing.
  Failure failure() const { return failure_; }
  bool answered() const { return answered_; }  // the last request got an answer, whatever status

 private:
  std::string url_;
  http::Client client_;
  Failure failure_ = Failure::kAbsent;
  bool answered_ = false;
};

/// What a source for Ollama needs to know of this machine; tests give their own.
struct OllamaPlaces {
  std::filesystem::path log;                 // server.log; need not exist
  std::filesystem::path models;              // the store, to name a runner's model
  std::filesystem::path process_root = "/";  // of /proc, to find runners
  std::string unit;                          // systemd's service whose journal it is; "": none
};
OllamaPlaces ollama_places();

/// Ollama: loaded models, and requests by its runners' slots, its log and hints.
std::unique_ptr<Source> ollama_source(const std::string& url, const OllamaPlaces& places);
/// llama-server: GET /slots, with the model's name from /v1/models; without /slots the counters of
/// GET /metrics.
std::unique_ptr<Source> llama_server_source(const std::string& url);
/// `mlx-toolkit serve`: GET /metrics, with every running request's own speed.
std::unique_ptr<Source> toolkit_source(const std::string& url);
/// `mlx-dash proxy`: the requests that go through it.
std::unique_ptr<Source> proxy_source(const std::string& url);

/// Finds out what answers at a URL, again until something does, and is its source from then on.
std::unique_ptr<Source> detected_source(const std::string& url, const OllamaPlaces& places);

}  // namespace toolkit::monitor
