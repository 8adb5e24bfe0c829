#include "projects/serve/run.h"

#include <algorithm>
#include <thread>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/json.h"
#include "core/base/paths.h"
#include "core/http/server/server.h"
#include "core/platform/hardware.h"
#include "core/platform/process.h"
#include "engine/embed/text_embedder.h"
#include "engine/language_model.h"
#include "engine/measure/choose_compute.h"
#include "engine/plan/serving_plan.h"
#include "models/resolve.h"
#include "projects/serve/api_error.h"
#include "projects/serve/routes.h"
#include "projects/serve/service.h"

namespace toolkit::serve {

namespace {

namespace fs = std::filesystem;

int64_t cache_bytes(const Config& config) {
  if (config.cache_gb > 0) return static_cast<int64_t>(config.cache_gb * 1e9);
  return std::min<int64_t>(1'000'000'000, platform::available_memory_bytes() / 8);
}

/// Of a file, or of the weights in a folder.
uint64_t model_bytes(const fs::path& path) {
  if (fs::is_regular_file(path)) return fs::file_size(path);
  uint64_t bytes = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(path))
    if (entry.path().extension() == ".safetensors") bytes += entry.file_size();
  return bytes;
}

PoolOptions pool_options(const Config& config) {
  engine::BatchOptions batch{.max_sequences = config.sequences,
                             .max_queue = config.queue,
                             .context_tokens = config.context,
                             .cache_bytes = cache_bytes(config),
                             .cache_8bit = config.cache_8bit,
                             .speculate_tokens = config.speculate};
  const tensor::Compute compute = engine::choose_compute(config.compute);
  return {
      .load =
          [batch, compute](const std::string& base, bool fast) mutable {
            batch.arrange_weights = fast;
            return make_batch_engine(engine::load_language_model(base, compute), batch);
          },
      .plan_bytes = [cache_bytes = batch.cache_bytes,
                     compute](const std::string& base) -> PlannedBytes {
        const engine::OpenedModel opened = engine::open_language_model(base);
        models::Decoder blank(opened.config);
        const engine::ServingPlan plan = engine::plan_serving(
            blank, models::stored_forms(*opened.files, blank), compute, cache_bytes);
        return {plan.least(), plan.arranged};
      },
      .available_bytes = platform::available_memory_bytes,
      .limit_bytes = static_cast<int64_t>(config.memory_limit_gb * 1e9),
      .low_bytes = std::min<int64_t>(1'000'000'000, platform::detect_hardware().memory_bytes / 20),
      .keep_alive_seconds = duration_seconds(config.keep_alive, "--keep-alive")};
}

bool is_path(const std::string& name) {
  return name.find("://") == std::string::npos;
}

ServedModel given_model(const std::string& name) {
  if (!is_path(name)) return {.name = name, .base = name};
  const fs::path path = fs::absolute(expanded_path(name)).lexically_normal();
  models::resolve_model(path.string());  // says what is wrong with it
  const fs::path shown = path.filename().empty() ? path.parent_path() : path;
  return {.name = (shown.extension() == ".gguf" ? shown.stem() : shown.filename()).string(),
          .base = path.string()};
}

/// What an adapter says that it was trained on.
std::string base_of_adapter(const fs::path& folder) {
  const fs::path file = folder / "adapter_config.json";
  const Json config = parse_json(read_file(file, 1 << 20), file.string());
  for (const char* key : {"model", "base_model_name_or_path"})
    if (config.contains(key) && config[key].is_string() && !config[key].get<std::string>().empty())
      return config[key].get<std::string>();
  fail(ErrorKind::kUserInput, "{}: does not name the model it belongs to: give --model",
       file.string());
}

ServedModel given_adapter(const std::string& text, const std::vector<ServedModel>& given) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos || equals + 1 == text.size())
    fail(ErrorKind::kUserInput, "--adapter: expected name=folder, found '{}'", text);
  const fs::path folder = fs::absolute(expanded_path(text.substr(equals + 1))).lexically_normal();
  return {.name = text.substr(0, equals),
          .base = given.size() == 1 ? given[0].base : given_model(base_of_adapter(folder)).base,
          .adapter = folder,
          .origin = ServedModel::Origin::kAdapter};
}

/// Registers what the command line names; returns the names to load.
std::vector<std::string> add_given(const Config& config, ModelNames& names) {
  std::vector<ServedModel> given;
  for (const std::string& name : config.models) given.push_back(given_model(name));
  std::vector<std::string> load;
  const auto add = [&](const ServedModel& model) {
    if (std::find(load.begin(), load.end(), model.name) != load.end())
      fail(ErrorKind::kUserInput, "two models are called '{}'", model.name);
    names.add(model);
    load.push_back(model.name);
  };
  for (const ServedModel& model : given) add(model);
  for (const std::string& text : config.adapters) add(given_adapter(text, given));
  return load;
}

std::unique_ptr<Embedders> make_embedders(const Config& config, const ModelPool& pool) {
  return std::make_unique<Embedders>(EmbedderOptions{
      .load = [](const std::string& base) { return engine::load_text_embedder(base); },
      .check_room =
          [&pool](const std::string& base) {
            const auto needed = static_cast<int64_t>(model_bytes(models::resolve_model(base)));
            pool.check_room(base, needed);
            return needed;
          },
      .keep_alive_seconds = duration_seconds(config.keep_alive, "--keep-alive"),
      .short_of_memory = [&pool] { return pool.short_of_memory(); }});
}

/// A job's adapter is a model of its own name, its checkpoints too.
void serve_fine_tuned(ModelNames& names, const FineTuningJob& job, const fs::path& adapter) {
  ServedModel model{.name = job.fine_tuned_model,
                    .base = job.base,
                    .adapter = adapter,
                    .origin = ServedModel::Origin::kFineTuned,
                    .created = job.finished_at.value_or(job.created_at)};
  names.add(model);
  std::error_code error;
  for (fs::directory_iterator one(adapter / "checkpoints", error), end; !error && one != end;
       one.increment(error)) {
    const std::string step = one->path().filename().string();
    if (!step.starts_with("step-")) continue;
    ServedModel checkpoint = model;
    checkpoint.name += ":ckpt-step-" + std::to_string(std::atoll(step.c_str() + 5));
    checkpoint.ollama_name.clear();
    checkpoint.adapter = one->path();
    names.add(checkpoint);
  }
}

std::unique_ptr<Jobs> make_jobs(const Config& config, ModelNames& names) {
  if (!config.fine_tuning) return nullptr;
  return std::make_unique<Jobs>(
      home_folder() / "serve",
      JobRunnerOptions{.program = platform::own_program(),
                       .finished = [&names](const FineTuningJob& job, const fs::path& adapter) {
                         serve_fine_tuned(names, job, adapter);
                       }});
}

http::server::ServerOptions server_options(const Config& config) {
  http::server::ServerOptions options{.host = config.host, .port = config.port};
  options.access = {.hosts = config.hosts, .origins = config.origins, .public_paths = {"/health"}};
  if (!config.token_file.empty()) options.access.token = read_token(config.token_file);
  options.limits.body_bytes = static_cast<uint64_t>(config.body_mb) << 20;
  options.limits.connections = static_cast<size_t>(config.connections);
  const uint64_t file_bytes = (static_cast<uint64_t>(config.file_mb) << 20) + (1 << 20);
  options.body_limit = [file_bytes, body = options.limits.body_bytes](const auto& head) {
    return head.path == "/v1/files" ? file_bytes : body;
  };
  options.refuse = [](const http::server::Request& head, int status, const std::string& message) {
    return error_response(head.path, ApiError(status, message));
  };
  return options;
}

}  // namespace

Ended run(const Config& config, const std::function<void(const Started&)>& started,
          const std::function<void()>& ready) {
  const InterruptGuard guard;
  Service service(config, pool_options(config));
  const std::vector<std::string> load = add_given(config, service.names);
  service.embedders = make_embedders(config, service.pool);
  service.jobs = make_jobs(config, service.names);
  http::server::Server server(server_options(config), [&service](const ExchangePtr& exchange) {
    answer(service, exchange);
  });
  service.connections = [&server] { return server.connections(); };
  const std::string host =
      config.host.find(':') == std::string::npos ? config.host : "[" + config.host + "]";
  started({.url = fmt::format("http://{}:{}", host, server.port()),
           .needs_token = !config.token_file.empty()});
  for (const std::string& name : load) service.pool.preload(name);
  service.ready = true;
  ready();
  while (!InterruptGuard::requested()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  service.ready = false;
  const bool drained = server.drain(config.drain);
  InterruptGuard::clear();  // it ends as it was asked to: no failure
  return {.drained = drained};
}

}  // namespace toolkit::serve
