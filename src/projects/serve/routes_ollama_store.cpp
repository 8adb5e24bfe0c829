#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/model_store/fetch/fetch.h"
#include "core/model_store/hub/endpoint.h"
#include "core/model_store/ollama/registry_client.h"
#include "core/model_store/settings.h"
#include "core/model_store/upkeep/removal.h"
#include "projects/serve/api_error.h"
#include "projects/serve/ollama_answer.h"
#include "projects/serve/routes.h"
#include "projects/serve/text_request.h"

namespace toolkit::serve {

namespace {

namespace store = model_store;

/// What is to be pulled: a model, and of a Hugging Face repository the files that match.
struct Pulled {
  store::ModelName name;
  std::vector<std::string> allow;
};

/// "smollm2:135m", "hf.co/org/model", "hf.co/org/model:Q4_K_M", "hf://...", "ollama://..." as a
/// name of the store. Only hosts that the operator allows are asked: a client must not send this
/// server about the network.
Pulled pulled_name(const Config& config, std::string name) {
  std::vector<std::string> allow;
  if (const auto hub = hub_reference(name)) {
    // Of repositories with a file for each quantization, as Ollama names them.
    if (hub->tag != "latest")
      allow = {"*" + hub->tag + "*.gguf", "*" + lower_case(hub->tag) + "*.gguf", "*.json",
               "*.jinja"};
    name = "hf://" + hub->repository;
  }
  if (name.find("://") == std::string::npos) name = "ollama://" + name;
  if (!name.starts_with("hf://") && !name.starts_with("ollama://"))
    throw ApiError(400, "'model': only models of a registry can be pulled", "model");
  const store::ModelName parsed = store::parse_model_name(name);
  const std::string host =
      parsed.source == store::Source::kHuggingFace ? "hf.co" : store::ollama_name(parsed).host;
  if (std::find(config.pull_hosts.begin(), config.pull_hosts.end(), host) ==
      config.pull_hosts.end())
    throw ApiError(403, "this server does not pull from '" + host + "' (--pull-hosts)", "model");
  return {parsed, allow};
}

store::Offer offer_of(http::Client& client, const Pulled& pulled) {
  const store::ModelName& name = pulled.name;
  if (name.source == store::Source::kHuggingFace) {
    const store::Environment environment = store::read_environment();
    const store::HubName hub = store::hub_name(name);
    return store::hub::make_offer(
        environment, hub, store::hub::read_repository(client, environment, hub), pulled.allow, {});
  }
  const store::OllamaName ollama = store::ollama_name(name);
  const std::string base = store::ollama::registry_base(ollama);
  return store::ollama::make_offer(base, ollama,
                                   store::ollama::pull_manifest(client, base, ollama));
}

void fetch(const Pulled& pulled, LineStream& lines, const std::function<bool()>& client_is_gone) {
  const store::Layout layout = store::default_layout();
  store::create_store(layout);
  const auto lock =
      store::lock_store(layout, files::LockMode::kShared, "pulling " + pulled.name.uri());
  auto registry = store::Registry::open(layout, toolkit::store::OpenMode::kReadWrite);
  http::Client client;
  lines.send({{"status", "pulling manifest"}});
  const store::FetchPlan plan = store::plan_fetch(layout, registry, offer_of(client, pulled), {});
  http::DownloadEvents events;
  auto told = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  events.progress = [&](size_t index, uint64_t done) {
    if (client_is_gone()) fail(ErrorKind::kNetwork, "the client is gone");
    const store::OfferedFile& file = plan.offer.files.at(index);
    const auto now = std::chrono::steady_clock::now();
    if (done < file.size_bytes && now - told < std::chrono::milliseconds(100)) return;
    told = now;
    lines.send({{"status", "pulling " + file.digest.hex.substr(0, 12)},
                {"digest", "sha256:" + file.digest.hex},
                {"total", file.size_bytes},
                {"completed", done}});
  };
  store::fetch_model(client, layout, registry, plan, {}, events);
  lines.send({{"status", "verifying sha256 digest"}});
  lines.send({{"status", "writing manifest"}});
  lines.send({{"status", "success"}});
}

void pull(const Call& call) {
  const OrderedJson json = json_body(call);
  const Members body(json);
  const Pulled pulled = pulled_name(call.service.config, read_ollama_model(body));
  const bool stream = body.boolean("stream").value_or(true);
  const bool taken = call.service.errands.add([call, pulled, stream] {
    LineStream lines(call.exchange, stream);
    try {
      fetch(pulled, lines, [&] { return call.exchange->gone(); });
      lines.end();
    } catch (...) {
      lines.fail(api_error_of(std::current_exception()));
    }
  });
  if (taken) return;
  ApiError error(429, "too many models are waiting to be pulled: try again later");
  error.retry_after_seconds = 10;
  throw error;
}

void remove(const Call& call) {
  const OrderedJson json = json_body(call);
  const ServedModel model = call.service.names.find(read_ollama_model(Members(json)));
  using Origin = ServedModel::Origin;
  if (model.origin == Origin::kFineTuned) {
    call.service.pool.unload(model);
    call.service.remove_fine_tuned(model);
  } else if (model.origin == Origin::kStore) {
    call.service.pool.unload(model);
    const store::Layout layout = store::default_layout();
    const auto lock = store::lock_store(layout, files::LockMode::kExclusive, "removing a model");
    auto registry = store::Registry::open(layout, toolkit::store::OpenMode::kReadWrite);
    store::remove_model(registry, layout, store::parse_model_name(model.name), /*force=*/false);
  } else {
    throw ApiError(403, model.name + " belongs to who started the server and cannot be deleted");
  }
  call.exchange->respond({.content_type = ""});
}

/// What Ollama makes of models it has: here a model is what its folder or file is.
void refuse_making(const Call& call) {
  throw ApiError(403, fmt::format("{}: this server makes and sends no models: an adapter becomes "
                                  "one by --adapter name=folder or by a fine-tuning job",
                                  call.request().path));
}

}  // namespace

void add_ollama_store_routes(std::vector<Route>& routes) {
  routes.push_back({"POST", "/api/pull", pull});
  routes.push_back({"DELETE", "/api/delete", remove});
  for (const char* path : {"/api/copy", "/api/create", "/api/push"})
    routes.push_back({"POST", path, refuse_making});
  routes.push_back({"POST", "/api/blobs/{name}", refuse_making});
}

}  // namespace toolkit::serve
