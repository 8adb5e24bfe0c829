#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/base/progress.h"
#include "core/files/disk_space.h"
#include "core/files/safe_path.h"
#include "core/model_store/fetch/fetch.h"
#include "core/model_store/folders/plain_folder.h"
#include "core/model_store/hub/endpoint.h"
#include "core/model_store/ollama/registry_client.h"
#include "core/model_store/ollama/sign_in.h"
#include "core/report/table.h"
#include "projects/cache/clean_models.h"
#include "projects/cache/command.h"
#include "projects/cache/fetch_progress.h"
#include "projects/cache/find_copy.h"
#include "projects/cache/publish.h"
#include "projects/cache/pull_through_ollama.h"
#include "projects/cache/session.h"
#include "projects/cache/stores.h"

namespace toolkit::cache {

namespace {

struct Settings {
  std::string model, revision, app;
  std::vector<std::string> allow, ignore;
  bool publish = true, through_ollama = false;
  int files_at_once = 4, ranges = 4;
  double limit_mb_s = 0;
  Options options;
};

using model_store::FetchPlan;
using model_store::ModelName;
using model_store::Offer;
using model_store::Source;

ModelName wanted_model(const Settings& settings) {
  ModelName name = model_store::parse_model_name(settings.model);
  if (settings.revision.empty()) return name;
  if (name.source != Source::kHuggingFace)
    fail(ErrorKind::kUserInput, "--revision belongs to hf:// models; {} has none", name.uri());
  model_store::HubName hub = model_store::hub_name(name);
  if (hub.revision != "main" && hub.revision != settings.revision)
    fail(ErrorKind::kUserInput, "two revisions: '@{}' in the name and --revision {}", hub.revision,
         settings.revision);
  // Through the parser once more: what a revision may be is checked there.
  return model_store::parse_model_name("hf://" + hub.repository + "@" + settings.revision +
                                       (hub.path.empty() ? "" : "/" + hub.path));
}

Offer make_offer(http::Client& client, Session& session, const ModelName& name,
                 const Settings& settings, const cli::Context& context) {
  if (name.source != Source::kHuggingFace && !(settings.allow.empty() && settings.ignore.empty()))
    fail(ErrorKind::kUserInput, "--allow and --ignore belong to hf:// models");
  if (name.source == Source::kHuggingFace) {
    const model_store::HubName hub = model_store::hub_name(name);
    const auto repository = model_store::hub::read_repository(client, session.environment(), hub);
    return model_store::hub::make_offer(session.environment(), hub, repository, settings.allow,
                                        settings.ignore);
  }
  if (settings.through_ollama && name.source != Source::kOllama)
    fail(ErrorKind::kUserInput, "--through-ollama belongs to ollama:// models");
  if (settings.through_ollama && !settings.options.dry_run)
    return pull_through_ollama(session, model_store::ollama_name(name), context.quiet);
  if (name.source == Source::kOllama) {
    const model_store::OllamaName ollama = model_store::ollama_name(name);
    const std::string base = model_store::ollama::registry_base(ollama);
    return model_store::ollama::make_offer(
        base, ollama,
        model_store::ollama::pull_manifest(client, base, ollama,
                                           model_store::ollama::signing_key_file()));
  }
  std::unique_ptr<Progress> progress;
  Offer offer = model_store::make_local_offer(name.identifier, [&](uint64_t done, uint64_t total) {
    constexpr double kMegabyte = 1e6;
    if (!progress)
      progress = std::make_unique<Progress>(
          "reading (MB)", static_cast<int64_t>(static_cast<double>(total) / kMegabyte),
          context.quiet);
    progress->update(static_cast<int64_t>(static_cast<double>(done) / kMegabyte));
  });
  return offer;
}

FetchPlan make_plan(Session& session, Offer offer) {
  const bool local = offer.name.source == Source::kLocal;
  if (local) return plan_fetch(session.layout(), session.registry(), std::move(offer), {});
  std::vector<model_store::Inventory> stores;
  try {
    stores = read_stores(session);
  } catch (const Error& error) {  // no reason not to fetch
    log_warning("copies on this machine are not looked for: {}", error.what());
  }
  CopyFinder finder(session, std::move(stores));
  return plan_fetch(session.layout(), session.registry(), std::move(offer), std::ref(finder));
}

uint64_t sum_bytes(const FetchPlan& plan, const std::vector<size_t>& indices) {
  uint64_t sum = 0;
  for (const size_t index : indices) sum += plan.offer.files[index].size_bytes;
  return sum;
}

nlohmann::json plan_json(const FetchPlan& plan) {
  return {{"model", plan.offer.name.uri()},
          {"revision", plan.offer.revision},
          {"files", plan.offer.files.size()},
          {"already_there", plan.complete},
          {"present_bytes", sum_bytes(plan, plan.present)},
          {"shared_bytes", sum_bytes(plan, plan.shared)},
          {"download_bytes", plan.download_bytes},
          {"disk_bytes", plan.disk_bytes}};
}

void print_plan(const FetchPlan& plan, bool verbose) {
  std::map<size_t, std::string> what;
  for (const size_t i : plan.present) what[i] = "is there";
  for (const size_t i : plan.download) what[i] = "download";
  for (size_t i = 0; i < plan.shared.size(); ++i)
    what[plan.shared[i]] = "shared with " + shown_path(plan.shared_from[i].path);
  if (verbose) {
    report::Table table{.header = {"file", "size", "what happens"}};
    for (const auto& [index, text] : what) {
      const model_store::OfferedFile& file = plan.offer.files[index];
      table.rows.push_back(
          {files::escaped(file.name), files::shown_bytes(file.size_bytes), files::escaped(text)});
    }
    fmt::print("{}", report::to_text(table));
  }
  fmt::print("{}: {} files: {} to download, {} shared with copies on this machine, {} there\n",
             plan.offer.name.uri(), plan.offer.files.size(),
             files::shown_bytes(plan.download_bytes),
             files::shown_bytes(sum_bytes(plan, plan.shared)),
             files::shown_bytes(sum_bytes(plan, plan.present)));
}

void note_app(Session& session, const ModelName& name, const std::string& app) {
  const std::filesystem::path path = std::filesystem::weakly_canonical(expanded_path(app));
  if (!std::filesystem::is_directory(path))
    fail(ErrorKind::kNotFound, "--app {}: there is no such folder", app);
  session.registry().put_app(path.stem().string(), path);
  session.registry().use(name, path);
}

/// Above max_cache_size_gb the longest unused models go; never the one just added.
nlohmann::json clean_if_full(const ModelName& added, const cli::Context& context) {
  {
    Session session(Session::Use::kRead, "adding " + added.uri(), context);
    const double limit = session.settings().max_cache_size_gb * 1e9;
    double used = 0;
    for (const auto& model : session.registry().models())
      used += model.is_symlink ? 0 : static_cast<double>(model.size_bytes);
    if (!session.settings().auto_clean || limit <= 0 || used <= limit)
      return nlohmann::json::array();
  }
  Session session(Session::Use::kDecide, "making room after adding " + added.uri(), context);
  auto plan = plan_clean(session, session.settings(), model_store::CleanRules::kSize);
  std::erase_if(plan.items,
                [&](const model_store::CleanItem& item) { return item.label == added.uri(); });
  nlohmann::json removed = nlohmann::json::array();
  for (const auto& item : plan.items) {
    removed.push_back(item.label);
    const std::string also = also_taken_from(item);
    if (!context.quiet)
      fmt::print("{}: removed ({}): the cache is above max_cache_size_gb{}\n", item.label,
                 item.reason, also.empty() ? "" : "; also taken from " + also);
  }
  apply_clean(session, plan);
  const std::string above = stays_above(plan, session.settings().max_cache_size_gb);
  if (!context.quiet && !above.empty()) fmt::print("{}\n", above);
  return removed;
}

/// Everything under the shared store lock.
nlohmann::json add(const Settings& settings, const ModelName& name, const cli::Context& context,
                   ModelName& added) {
  Session session(settings.options.dry_run ? Session::Use::kRead : Session::Use::kAdd,
                  "adding " + name.uri(), context);
  std::function<void(const std::string&)> tell;
  if (!context.quiet)
    tell = [](const std::string& note) { fmt::print(stderr, "{}\n", files::escaped(note)); };
  http::Client client({.on_retry = tell});
  const FetchPlan plan = make_plan(session, make_offer(client, session, name, settings, context));
  nlohmann::json result = plan_json(plan);
  added = plan.offer.name;
  if (settings.options.dry_run) {
    if (!context.quiet) print_plan(plan, settings.options.verbose);
    result["dry_run"] = true;
    return result;
  }
  if (!context.quiet && settings.options.verbose) print_plan(plan, true);

  model_store::ModelRecord record;
  {
    FetchProgress progress(plan, context.quiet);
    record = fetch_model(client, session.layout(), session.registry(), plan,
                         {.files_at_once = settings.files_at_once,
                          .ranges_per_file = settings.ranges,
                          .bytes_per_second = static_cast<uint64_t>(settings.limit_mb_s * 1e6)},
                         progress.events());
    result["downloaded_bytes"] = progress.fetched_bytes();
  }
  result["path"] = record.local_path.string();
  result["size_bytes"] = record.size_bytes;
  if (!context.quiet)
    fmt::print("{}: {}{}, in {}\n", record.name.uri(), files::shown_bytes(record.size_bytes),
               plan.complete ? ", was there already" : "", shown_path(record.local_path));
  if (!settings.app.empty()) note_app(session, record.name, settings.app);
  result["published"] = nlohmann::json::array();
  if (!settings.publish) return result;
  for (const PublishedTo& to : publish_everywhere(session, record)) {
    result["published"].push_back({{"program", to.program}, {"what", to.what}});
    if (!context.quiet) fmt::print("  {}: {}\n", to.program, to.what);
  }
  return result;
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  const ModelName name = wanted_model(settings);
  const InterruptGuard guard;
  ModelName added;
  nlohmann::json result = add(settings, name, context, added);
  if (!settings.options.dry_run) result["removed"] = clean_if_full(added, context);
  return result;
}

}  // namespace

cli::Command add_command() {
  const auto settings = std::make_shared<Settings>();
  return {
      .name = "add",
      .summary = "download a model once and make it usable everywhere",
      .description =
          "Fetches what is not on this machine yet (several files and ranges at once, resumed "
          "where a stop left them, every file compared with its published hash), keeps it in the "
          "cache and shows it to huggingface_hub, Ollama and LM Studio without a second copy.",
      .examples = {"mlx-cache add hf://HuggingFaceTB/SmolLM2-135M-Instruct",
                   "mlx-cache add hf://org/model@v1.0 --allow '*.safetensors' --allow '*.json'",
                   "mlx-cache add ollama://llama3.2:1b",
                   "mlx-cache add ollama://llama3.2:1b --through-ollama",
                   "mlx-cache add file:///home/ann/models/custom"},
      .fields = {{.name = "model",
                  .target = &settings->model,
                  .help = "hf://org/model[@revision], ollama://name:tag or file:///path",
                  .required = true,
                  .positional = true},
                 {.name = "revision",
                  .target = &settings->revision,
                  .help = "branch, tag or commit of an hf:// model"},
                 {.name = "allow",
                  .target = &settings->allow,
                  .help = "only files that match a pattern (repeatable)"},
                 {.name = "ignore",
                  .target = &settings->ignore,
                  .help = "no files that match a pattern (repeatable)"},
                 {.name = "publish",
                  .target = &settings->publish,
                  .help = "keep it in the cache only, show it to no other program"},
                 {.name = "app",
                  .target = &settings->app,
                  .help = "folder of the app that will use it (see link)"},
                 {.name = "through-ollama",
                  .target = &settings->through_ollama,
                  .help = "let the running Ollama (OLLAMA_HOST) pull it, then keep its files"},
                 {.name = "files-at-once",
                  .target = &settings->files_at_once,
                  .help = "files fetched at the same time",
                  .group = "Transfer",
                  .minimum = 1,
                  .maximum = 16},
                 {.name = "ranges",
                  .target = &settings->ranges,
                  .help = "ranges of one large file at the same time",
                  .group = "Transfer",
                  .minimum = 1,
                  .maximum = 16},
                 {.name = "limit-mb-s",
                  .target = &settings->limit_mb_s,
                  .help = "megabytes per second at most; 0: as fast as it goes",
                  .group = "Transfer",
                  .minimum = 0},
                 dry_run_field(settings->options),
                 verbose_field(settings->options)},
      .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache
