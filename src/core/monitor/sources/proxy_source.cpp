#include <algorithm>

#include "core/base/error.h"
#include "core/monitor/sources/proxy_requests.h"
#include "core/monitor/sources/source.h"

namespace toolkit::monitor {

namespace {

class ProxySource : public Source {
 public:
  explicit ProxySource(const std::string& url) : probe_(url) {}

  ServerState look(double) override {
    ServerState state{.url = probe_.url(), .kind = ServerKind::kProxy};
    const auto answer = probe_.json(kProxyPath, state.trouble);
    if (!answer) {
      state.failure = probe_.failure();
      state.failures = ++failures_;
      return state;
    }
    try {
      take(parse_proxy_requests(*answer), state);
    } catch (const Error& error) {
      state.trouble = error.what();
      state.failure = Failure::kForeign;
      state.failures = ++failures_;
      return state;
    }
    failures_ = 0;
    state.reachable = true;
    return state;
  }

 private:
  void take(const ProxyRequests& requests, ServerState& state) {
    // The first look at a proxy counts only what ends from then on.
    const bool is_new = requests.started != started_;
    if (is_new && !started_.empty()) last_ = 0;
    for (const auto& [sequence, request] : requests.finished)
      if (sequence > last_ && !started_.empty()) state.finished.push_back(request);
    for (const auto& [sequence, request] : requests.finished) last_ = std::max(last_, sequence);
    started_ = requests.started;
    state.running = requests.running;
    state.version = "before " + requests.upstream;
  }

  Probe probe_;
  std::string started_;
  int64_t last_ = 0;
  int failures_ = 0;
};

/// Asks in turn what tells the programs apart.
class DetectedSource : public Source {
 public:
  DetectedSource(std::string url, OllamaPlaces places)
      : url_(std::move(url)), places_(std::move(places)), probe_(url_) {}

  ServerState look(double time_s) override {
    if (!source_) source_ = detect();
    if (source_) {
      ServerState state = source_->look(time_s);
      // Another program may listen there next.
      if (state.failures >= kForgetAfter) source_.reset();
      return state;
    }
    return {.url = url_,
            .trouble = trouble_,
            .failure = probe_.answered() ? Failure::kForeign : probe_.failure(),
            .failures = ++failures_};
  }

 private:
  static constexpr int kForgetAfter = 5;

  std::unique_ptr<Source> detect() {
    std::string ignored;
    if (probe_.json(kProxyPath, trouble_)) return proxy_source(url_);
    if (!probe_.answered()) return nullptr;
    // mlx-toolkit serve answers as Ollama does, too.
    const auto metrics = probe_.text("/metrics", ignored);
    if (metrics && metrics->find("toolkit_build_info") != metrics->npos)
      return toolkit_source(url_);
    const auto version = probe_.json("/api/version", ignored);
    if (version && version->is_object() && version->contains("version"))
      return ollama_source(url_, places_);
    const auto slots = probe_.json("/slots", ignored);
    if ((slots && slots->is_array()) || (metrics && metrics->find("llamacpp:") != metrics->npos))
      return llama_server_source(url_);
    trouble_ = "answers, but is none of Ollama, mlx-toolkit serve, llama-server and mlx-dash proxy";
    return nullptr;
  }

  std::string url_;
  OllamaPlaces places_;
  Probe probe_;
  std::unique_ptr<Source> source_;
  std::string trouble_;
  int failures_ = 0;
};

}  // namespace

std::unique_ptr<Source> proxy_source(const std::string& url) {
  return std::make_unique<ProxySource>(url);
}

std::unique_ptr<Source> detected_source(const std::string& url, const OllamaPlaces& places) {
  return std::make_unique<DetectedSource>(url, places);
}

}  // namespace toolkit::monitor
