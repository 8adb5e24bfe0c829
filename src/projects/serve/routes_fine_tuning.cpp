#include <fmt/format.h>

#include <algorithm>

#include "projects/serve/api_error.h"
#include "projects/serve/pages.h"
#include "projects/serve/routes.h"
#include "projects/serve/text_request.h"

namespace toolkit::serve {

namespace {

Json job_json(const FineTuningJob& job) {
  const Json method =
      job.method == "dpo"
          ? Json{{"type", "dpo"}, {"dpo", {{"hyperparameters", job.hyperparameters}}}}
          : Json{{"type", "supervised"},
                 {"supervised", {{"hyperparameters", job.hyperparameters}}}};
  const bool done = job.status == "succeeded";
  Json given = {{"n_epochs", "auto"}, {"batch_size", "auto"}, {"learning_rate_multiplier", "auto"}};
  given.update(job.hyperparameters);
  return {{"id", job.id},
          {"object", "fine_tuning.job"},
          {"status", job.status},
          {"model", job.model},
          {"created_at", job.created_at},
          {"finished_at", job.finished_at ? Json(*job.finished_at) : Json()},
          {"fine_tuned_model", done ? Json(job.fine_tuned_model) : Json()},
          {"organization_id", "local"},
          {"result_files", Json::array()},
          {"training_file", job.training_file},
          {"validation_file", job.validation_file.empty() ? Json() : Json(job.validation_file)},
          {"hyperparameters", given},
          {"method", method},
          {"seed", job.seed},
          {"trained_tokens", job.trained_tokens ? Json(*job.trained_tokens) : Json()},
          {"error", job.error.empty()
                        ? Json()
                        : Json{{"code", "job_failed"}, {"message", job.error}, {"param", nullptr}}},
          {"estimated_finish", nullptr},
          {"integrations", Json::array()}};
}

FineTuningJob found(const Call& call) {
  const auto job = jobs_of(call).store.find_job(call.rest);
  if (!job)
    throw ApiError(404, "there is no fine-tuning job '" + call.rest.substr(0, 100) + "'",
                   "fine_tuning_job_id");
  return *job;
}

void read_hyperparameters(const OrderedJson* given, const std::string& where, FineTuningJob& job) {
  if (!given) return;
  const Members members(*given, where);
  const auto automatic = [&](const char* name) {
    const OrderedJson* value = members.any(name);
    return !value || *value == OrderedJson("auto");
  };
  if (!automatic("n_epochs"))
    job.hyperparameters["n_epochs"] = *members.integer("n_epochs", 1, 100);
  if (!automatic("batch_size"))
    job.hyperparameters["batch_size"] = *members.integer("batch_size", 1, 256);
  if (!automatic("learning_rate_multiplier"))
    job.hyperparameters["learning_rate_multiplier"] =
        *members.number("learning_rate_multiplier", 1e-4, 100);
  if (job.method == "dpo" && !automatic("beta"))
    job.hyperparameters["beta"] = *members.number("beta", 1e-4, 10);
}

void read_method(const Members& body, FineTuningJob& job) {
  read_hyperparameters(body.object("hyperparameters"), "hyperparameters.", job);
  const OrderedJson* method = body.object("method");
  if (!method) return;
  const Members members(*method, "method.");
  job.method = members.need_text("type");
  if (job.method != "supervised" && job.method != "dpo")
    members.refuse("type", "supervised or dpo");
  if (const OrderedJson* settings = members.object(job.method.c_str()))
    read_hyperparameters(Members(*settings, "method." + job.method + ".").object("hyperparameters"),
                         "method." + job.method + ".hyperparameters.", job);
}

std::string checked_file(const Call& call, const Members& body, const char* name,
                         const std::string& id) {
  const auto file = jobs_of(call).store.find_file(id);
  if (!file) body.refuse(name, "the id of an uploaded file");
  return id;
}

void create(const Call& call) {
  const OrderedJson json = json_body(call);
  const Members body(json);
  FineTuningJob job{.model = body.need_text("model")};
  const ServedModel model = call.service.names.find(job.model);
  if (!model.adapter.empty())
    throw ApiError(
        400, "'model': a model that is an adapter already cannot be trained on: name " + model.base,
        "model");
  job.model = model.name;
  job.base = model.base;
  job.training_file = checked_file(call, body, "training_file", body.need_text("training_file"));
  if (const auto id = body.text("validation_file"))
    job.validation_file = checked_file(call, body, "validation_file", *id);
  job.suffix = body.text("suffix", 64).value_or("");
  if (!std::all_of(job.suffix.begin(), job.suffix.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
      }))
    body.refuse("suffix", "letters, digits, '-' and '_'");
  job.seed = body.integer("seed", 0).value_or(0);
  read_method(body, job);
  job = jobs_of(call).store.add_job(job);
  jobs_of(call).store.add_event(job.id, "Created fine-tuning job: " + job.id);
  jobs_of(call).runner.wake();
  respond_json(call, job_json(job));
}

void list(const Call& call) {
  respond_json(call, page_json(call.request(), jobs_of(call).store.jobs(), job_json));
}

void show(const Call& call) {
  respond_json(call, job_json(found(call)));
}

void cancel(const Call& call) {
  const FineTuningJob job = found(call);
  if (!jobs_of(call).runner.cancel(job.id))
    throw ApiError(400, "the job is over: " + job.status, "fine_tuning_job_id");
  respond_json(call, job_json(found(call)));
}

void events(const Call& call) {
  const FineTuningJob job = found(call);
  respond_json(call, page_json(call.request(), jobs_of(call).store.events(job.id),
                               [](const JobEvent& event) -> Json {
                                 return {{"id", fmt::format("ftevent-{}", event.number)},
                                         {"object", "fine_tuning.job.event"},
                                         {"created_at", event.created_at},
                                         {"level", event.level},
                                         {"message", event.message},
                                         {"type", event.type},
                                         {"data", event.data}};
                               }));
}

void checkpoints(const Call& call) {
  const FineTuningJob job = found(call);
  std::vector<std::pair<int64_t, std::string>> saved;
  std::error_code error;
  const auto folder = adapter_folder(jobs_of(call).store, job.id) / "checkpoints";
  for (std::filesystem::directory_iterator one(folder, error), end; !error && one != end;
       one.increment(error)) {
    const std::string name = one->path().filename().string();
    if (name.starts_with("step-")) saved.emplace_back(std::atoll(name.c_str() + 5), name);
  }
  std::sort(saved.rbegin(), saved.rend());
  const std::vector<JobEvent> known = jobs_of(call).store.events(job.id);
  respond_json(call, page_json(call.request(), saved, [&](const auto& one) -> Json {
                 Json metrics = {{"step", one.first}};
                 for (const JobEvent& event : known)
                   if (event.data.is_object() && event.data.value("step", int64_t{-1}) == one.first)
                     metrics.update(event.data);
                 return {{"id", "ftckpt-" + job.id.substr(6) + "-" + std::to_string(one.first)},
                         {"object", "fine_tuning.job.checkpoint"},
                         {"created_at", job.created_at},
                         {"fine_tuned_model_checkpoint",
                          fine_tuned_name(job) + ":ckpt-step-" + std::to_string(one.first)},
                         {"fine_tuning_job_id", job.id},
                         {"metrics", metrics},
                         {"step_number", one.first}};
               }));
}

}  // namespace

void add_fine_tuning_routes(std::vector<Route>& routes) {
  routes.push_back({"POST", "/v1/fine_tuning/jobs", create});
  routes.push_back({"GET", "/v1/fine_tuning/jobs", list});
  routes.push_back({"GET", "/v1/fine_tuning/jobs/{name}", show});
  routes.push_back({"POST", "/v1/fine_tuning/jobs/{name}/cancel", cancel});
  routes.push_back({"GET", "/v1/fine_tuning/jobs/{name}/events", events});
  routes.push_back({"GET", "/v1/fine_tuning/jobs/{name}/checkpoints", checkpoints});
}

}  // namespace toolkit::serve
