#include <fmt/format.h>

#include "core/tensor/backend.h"
#include "projects/serve/api_error.h"
#include "projects/serve/generation.h"
#include "projects/serve/ollama_answer.h"
#include "projects/serve/routes.h"
#include "projects/serve/text_request.h"

namespace toolkit::serve {

namespace {

// The level of Ollama's API that is answered.
constexpr const char* kOllamaVersion = "0.9.6";

Json details_json(const ServedModel& model, const ModelDetails& details) {
  return {{"parent_model", model.adapter.empty() ? "" : ollama_name_of(model.base)},
          {"format", details.format},
          {"family", details.family},
          {"families", Json::array({details.family})},
          {"parameter_size", details.parameter_size()},
          {"quantization_level", details.quantization}};
}

Json capabilities(const ModelDetails& details) {
  Json all = Json::array({"completion"});
  if (details.chat_template.find("tools") != std::string::npos) all.push_back("tools");
  if (can_think(details.chat_template)) all.push_back("thinking");
  return all;
}

std::string utc_time(int64_t seconds) {
  std::string text =
      rfc3339_now(static_cast<double>(seconds) - static_cast<double>(std::time(nullptr)));
  return text.substr(0, 19) + "Z";
}

void tags(const Call& call) {
  Json all = Json::array();
  for (const ServedModel& model : call.service.names.list()) {
    const ModelDetails details = call.service.details.of(model);
    if (!details.fault.empty()) continue;
    all.push_back({{"name", model.ollama_name},
                   {"model", model.ollama_name},
                   {"modified_at", utc_time(model.created)},
                   {"size", details.size_bytes},
                   {"digest", model_digest(model, details)},
                   {"details", details_json(model, details)},
                   {"capabilities", capabilities(details)}});
  }
  respond_json(call, {{"models", all}});
}

void ps(const Call& call) {
  Json all = Json::array();
  std::vector<LoadedInfo> loaded = call.service.pool.loaded();
  for (LoadedInfo& encoder : call.service.embedders->loaded()) loaded.push_back(std::move(encoder));
  for (const ServedModel& model : call.service.names.list())
    for (const LoadedInfo& info : loaded) {
      const bool here =
          info.base == model.base &&
          (model.adapter.empty() || std::find(info.adapters.begin(), info.adapters.end(),
                                              model.name) != info.adapters.end());
      if (!here) continue;
      const ModelDetails details = call.service.details.of(model);
      constexpr double kForEver = 100.0 * 365 * 86400;
      all.push_back({{"name", model.ollama_name},
                     {"model", model.ollama_name},
                     {"size", info.size_bytes},
                     {"digest", model_digest(model, details)},
                     {"details", details_json(model, details)},
                     {"expires_at", rfc3339_now(info.expires_in_seconds.value_or(kForEver))},
                     {"size_vram", tensor::use_cpu_kernels() ? 0 : info.size_bytes},
                     {"context_length",
                      info.context_tokens > 0 ? info.context_tokens : details.context_tokens}});
    }
  respond_json(call, {{"models", all}});
}

std::string modelfile(const ServedModel& model) {
  std::string text = "# made by mlx-toolkit\nFROM " + ollama_name_of(model.base) + "\n";
  if (!model.adapter.empty()) text += "ADAPTER " + model.adapter.filename().string() + "\n";
  return text;
}

void show(const Call& call) {
  const OrderedJson json = json_body(call);
  const Members body(json);
  const ServedModel model = call.service.names.find(read_ollama_model(body));
  const ModelDetails details = call.service.details.of(model);
  if (!details.fault.empty()) throw ApiError(500, details.fault);
  const std::string& family = details.family;
  respond_json(call, {{"license", ""},
                      {"modelfile", modelfile(model)},
                      {"parameters", ""},
                      {"template", details.chat_template},
                      {"details", details_json(model, details)},
                      {"model_info",
                       {{"general.architecture", family},
                        {"general.basename", model.name},
                        {"general.parameter_count", details.parameters},
                        {family + ".context_length", details.context_tokens},
                        {family + ".embedding_length", details.hidden_size},
                        {family + ".block_count", details.layers},
                        {family + ".attention.head_count", details.heads},
                        {family + ".attention.head_count_kv", details.kv_heads}}},
                      {"capabilities", capabilities(details)},
                      {"modified_at", utc_time(model.created)}});
}

void version(const Call& call) {
  respond_json(call, {{"version", kOllamaVersion}});
}

void root(const Call& call) {
  call.exchange->respond(
      {.content_type = "text/plain; charset=utf-8", .body = "Ollama is running"});
}

}  // namespace

void add_ollama_models_routes(std::vector<Route>& routes) {
  routes.push_back({"GET", "/", root});
  routes.push_back({"GET", "/api/version", version});
  routes.push_back({"GET", "/api/tags", tags});
  routes.push_back({"GET", "/api/ps", ps});
  routes.push_back({"POST", "/api/show", show});
}

}  // namespace toolkit::serve
