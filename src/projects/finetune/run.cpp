#include "projects/finetune/run.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/json.h"
#include "core/platform/hardware.h"
#include "engine/adapt.h"
#include "engine/language_model.h"
#include "engine/train/gradient_rank.h"
#include "projects/finetune/automatic.h"
#include "projects/finetune/fingerprint.h"
#include "projects/finetune/method.h"
#include "projects/finetune/model_folder.h"
#include "projects/finetune/objective.h"
#include "projects/finetune/output_files.h"
#include "projects/finetune/plan_page.h"
#include "projects/finetune/recorder.h"
#include "projects/finetune/sample_answer.h"
#include "projects/finetune/step_work.h"
#include "projects/finetune/trainer_options.h"

namespace toolkit::finetune {

namespace {

struct Data {
  std::unique_ptr<engine::Batches> train, valid;
};

Data make_batches(const Prepared& prepared, Result& result) {
  const Config& config = prepared.config;
  result.notes = prepared.notes;
  result.truncated_rows = prepared.truncated_rows;
  result.unsupervised_rows = prepared.unsupervised_rows;
  const int group = learns_from_pairs(config) ? 2 : 1;
  result.train_rows = static_cast<int>(prepared.train.size()) / group;
  result.valid_rows = static_cast<int>(prepared.valid.size()) / group;

  Data data;
  const engine::BatchShape shape =
      engine::choose_batch_shape(prepared.train, config.batch_tokens, config.share_prefix, group);
  if (!prepared.valid.empty()) {
    const engine::BatchShape valid_shape =
        engine::choose_batch_shape(prepared.valid, config.batch_tokens, config.share_prefix, group);
    data.valid = std::make_unique<engine::Batches>(prepared.valid, valid_shape, false);
  } else {
    result.notes.push_back(
        "no validation rows (valid.jsonl), so nothing says how well new rows are answered");
  }
  data.train = std::make_unique<engine::Batches>(prepared.train, shape, true,
                                                 static_cast<uint64_t>(config.seed));
  result.filled_share = data.train->filled_share();
  result.shared_prefix = shape.prefix;
  result.computed_tokens_per_step = data.train->places() / data.train->per_epoch();
  return data;
}

// What the probing branches and the chosen ones need: the plan of the higher peak is the run's.
void choose_rank(Prepared& prepared, models::Decoder& model, const engine::Batches& batches,
                 Result& result) {
  Config& config = prepared.config;
  const int most = config.rank;
  const engine::RankProposal proposal =
      engine::propose_rank(model, branch_options(config), batches, most,
                           {.checkpoint_layers = config.checkpoint_layers});
  config.rank = proposal.rank;
  result.notes.push_back(fmt::format(
      "--rank auto: the gradients of {} batches have {:.1f} effective directions in a layer on "
      "average, so the rank is {} (of {} to {})",
      proposal.batches, proposal.effective, proposal.rank, kLeastRank, most));
  engine::TrainingNeeds probing = prepared.memory.needs, chosen = prepared.memory.needs;
  probing.optimizer_bytes = 0;
  chosen.trained_elements = chosen.trained_elements * proposal.rank / most;
  chosen.branch_ranks = chosen.branch_ranks * proposal.rank / most;
  prepared.memory.plan = plan_memory(model.config(), probing);
  if (const engine::MemoryPlan plan = plan_memory(model.config(), chosen);
      plan.total() > prepared.memory.plan.total())
    prepared.memory.plan = plan;
}

/// What one process needs around the model while it trains.
struct Job {
  const Config& config;
  const Data& data;
  const distributed::ProcessGroup& processes;
  OutputFiles* files;  // of the leader; null elsewhere
  Recorder& recorder;
};

// Every process reads the checkpoint; the leader's folder gets what is missing in it.
engine::TrainingState saved_state(const Job& job) {
  const Config& config = job.config;
  if (job.files) return job.files->resume(config.resume_from);
  const std::string& from = config.resume_from.empty() ? config.output : config.resume_from;
  const Checkpoint checkpoint = find_checkpoint(from);
  auto state = engine::load_training_state(checkpoint.state());
  if (!state)
    fail(ErrorKind::kNotFound, "{} has no training_state.safetensors", checkpoint.folder.string());
  return *state;
}

engine::TrainingSummary train(const Job& job, models::Decoder& model, Result& result) {
  const Config& config = job.config;
  Recorder& recorder = job.recorder;
  const int batches = batches_per_step(config, job.processes);
  const int64_t steps = count_steps(config, *job.data.train, batches);
  engine::TrainerOptions options = trainer_options(config, steps);
  options.fingerprint = fingerprint(config, *job.data.train, steps, batches, result.compute);
  options.processes = &job.processes;
  recorder.steps = result.total_steps = steps;
  const std::optional<Objectives> wanted =
      objectives(config, model, *job.data.train, job.data.valid.get(), [&](int done, int total) {
        return !InterruptGuard::requested() && recorder.asking_base(done, total);
      });
  recorder.reference_bar.reset();
  if (!wanted) return {.interrupted = true};
  options.objective = wanted->training;
  options.validation_objective = wanted->validation;
  engine::Trainer trainer(
      model, *job.data.train, job.data.valid.get(), options,
      {.stepped = [&](const engine::StepReport& report) { recorder.stepped(report); },
       .validating = [&](int done, int total) { return recorder.validating(done, total); },
       .validated =
           [&](int64_t step, double loss, const engine::Metrics& metrics) {
             recorder.validated(step, loss, metrics);
           },
       .save = [&](const engine::TrainingState& state, bool) { job.files->save(state); }});
  if (config.resume || !config.resume_from.empty()) {
    const engine::TrainingState state = saved_state(job);
    check_same_settings(state.fingerprint, options.fingerprint);
    trainer.resume(state);
    result.notes.push_back(fmt::format("continued at step {} of {}", state.step, steps));
  }
  engine::TrainingSummary summary = trainer.run();
  if (recorder.bar) recorder.bar->finish();
  recorder.bar.reset();
  recorder.validation_bar.reset();
  return summary;
}

void finish(const Config& config, OutputFiles& files, const Recorder& recorder, Result& result) {
  const engine::TrainingSummary& t = result.training;
  result.adapter = files.folder();
  result.plot = files.plot();
  result.loss_of_adapter = t.validation_loss_after;
  result.metrics_of_adapter = t.validation_metrics_after;
  if (!t.interrupted && files.keep_best(t.best_step, t.steps)) {
    result.best_is_not_last = true;
    result.loss_of_adapter = t.best_validation_loss;
    result.metrics_of_adapter = t.best_validation_metrics;
    result.notes.push_back(
        fmt::format("validation was best at step {} ({:.4f}); that adapter was kept", t.best_step,
                    t.best_validation_loss));
  }
  if (t.stopped_early)
    result.notes.push_back(fmt::format(
        "stopped at step {} of {}: the validation loss did not improve {} times in a row", t.steps,
        result.total_steps, config.patience));
  if (t.skipped_steps > 0)
    result.notes.push_back(fmt::format(
        "{} steps had a gradient that is not a finite number and were left out", t.skipped_steps));
  files.save_plot(
      fmt::format("Fine-tuning {}", config.model),
      learns_from_pairs(config) ? config.objective + " loss (per pair)" : "loss (nats per token)",
      recorder.training, recorder.validation);
}

void write_settings(const Config& config, report::RunLog& log) {
  check_writable(config.output);
  Config copy = config;
  copy.resume_from.clear();  // repeats are of the run, not of where it was taken up
  const Json settings = Json::parse(fields_to_json(describe(copy)));
  log.parameters(settings);
  // JSON is YAML: `--config <output>/settings.json` repeats or resumes the run.
  write_file_atomically(std::filesystem::path(config.output) / "settings.json",
                        settings.dump(2) + "\n");
}

}  // namespace

Result run(Prepared prepared, report::RunLog& log, bool quiet,
           const distributed::ProcessGroup& processes) {
  const auto begin = std::chrono::steady_clock::now();
  const data::Splits& splits = prepared.splits;
  InterruptGuard interrupt;
  Result result;
  result.objective = prepared.config.objective;
  result.method = method_name(prepared.config);
  result.compute = tensor::compute_name(prepared.memory.compute);
  const Data data = make_batches(prepared, result);
  engine::LanguageModel model = engine::load_weights(
      std::move(prepared.opened), prepared.memory.compute, base_packing(prepared.config));
  if (prepared.open_rank) choose_rank(prepared, *model.decoder, *data.train, result);
  const Config& config = prepared.config;
  result.memory = prepared.memory;
  if (processes.leads()) write_settings(config, log);
  const checkpoint::Adapter form = prepare_method(config, *model.decoder, result.notes);
  result.linear_flops_per_step = linear_flops_per_step(*model.decoder, *data.train);
  result.trainable_parameters = engine::TrainableParameters(*model.decoder).element_count();
  result.rank = config.method == "full" ? 0 : config.rank;
  result.optimizer = config.optimizer;
  result.accumulate = config.accumulate;
  result.processes = processes.size();
  std::optional<OutputFiles> files;
  if (processes.leads())
    files.emplace(
        config.output, form,
        [&](OutputFiles::Tensors trained) {
          return engine::adapter_tensors(*model.decoder, std::move(trained));
        },
        config.keep);
  Recorder recorder{.log = log, .quiet = quiet};

  // Every method begins with the base model's outputs.
  const bool resumes = config.resume || !config.resume_from.empty();
  if (config.sample > 0 && !resumes && processes.leads())
    result.sample = ask_base(model, splits, config.sample, result.notes);
  result.training =
      train({config, data, processes, files ? &*files : nullptr, recorder}, *model.decoder, result);
  if (!files) return result;
  finish(config, *files, recorder, result);
  if (result.sample && !result.training.interrupted) {
    // What lies in the folder answers: for branches also the form that generates fastest.
    if (result.best_is_not_last || config.method != "full")
      engine::apply_adapter(*model.decoder, checkpoint::load_adapter(files->folder()));
    result.sample->tuned = answer(model, splits, config.sample);
  } else {
    result.sample.reset();
  }
  if (config.method == "full" && !result.training.interrupted) {
    model.decoder.reset();  // the weights that were written are read again
    result.model = write_model_folder(config.model, result.adapter, quiet);
    log.artifact(result.model, "the trained model");
  }
  log.artifact(result.adapter / "adapters.safetensors", result.method + " adapter");
  log.artifact(result.plot, "training and validation loss");
  result.peak_rss_bytes = platform::peak_resident_bytes();
  result.peak_device_bytes = tensor::peak_device_bytes();
  result.total_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  log.finish(result.training.interrupted ? "interrupted" : "succeeded", to_json(result));
  return result;
}

Result run(const Config& config, report::RunLog& log, bool quiet,
           const distributed::ProcessGroup& processes) {
  return run(prepare(config, quiet), log, quiet, processes);
}

nlohmann::json to_json(const Result& result) {
  const engine::TrainingSummary& t = result.training;
  const std::optional<int64_t>& device_bytes = result.peak_device_bytes;
  Json json = {{"status", t.interrupted ? "interrupted" : "succeeded"},
               {"stop_reason", t.interrupted     ? "interrupted"
                               : t.stopped_early ? "early_stop"
                                                 : "finished"},
               {"adapter", result.adapter.string()},
               {"plot", result.plot.string()},
               {"model", result.model.empty() ? Json() : Json(result.model.string())},
               {"objective", result.objective},
               {"method", result.method},
               {"rank", result.rank},
               {"compute", result.compute},
               {"steps", t.steps},
               {"total_steps", result.total_steps},
               {"skipped_steps", t.skipped_steps},
               {"optimizer", result.optimizer},
               {"accumulate", result.accumulate},
               {"processes", result.processes},
               {"tokens_per_step", t.steps > 0 ? t.tokens / t.steps : 0},
               {"tokens", t.tokens},
               {"supervised_tokens", t.supervised_tokens},
               {"seconds", t.seconds},
               {"total_seconds", result.total_seconds},
               {"tokens_per_second", t.tokens_per_second},
               {"peak_rss_bytes", result.peak_rss_bytes},
               {"peak_device_bytes", device_bytes ? Json(*device_bytes) : Json()},
               {"planned_bytes", result.memory.plan.total()},
               {"planned_parts", parts_json(result.memory.plan)},
               {"changes", changes_json(result.memory.changes)},
               {"trainable_parameters", result.trainable_parameters},
               {"train_rows", result.train_rows},
               {"valid_rows", result.valid_rows},
               {"truncated_rows", result.truncated_rows},
               {"unsupervised_rows", result.unsupervised_rows},
               {"filled_share", result.filled_share},
               {"shared_prefix", result.shared_prefix},
               {"computed_tokens_per_step", result.computed_tokens_per_step},
               {"linear_flops_per_step", result.linear_flops_per_step},
               {"validation_loss_before", nullptr},
               {"validation_loss_after", nullptr},
               {"best_step", t.best_step},
               {"notes", result.notes}};
  if (t.validated) {
    json["validation_loss_before"] = t.validation_loss_before;
    json["validation_loss_after"] = result.loss_of_adapter;
    if (!result.metrics_of_adapter.empty()) {
      json["validation_metrics_before"] = t.validation_metrics_before;
      json["validation_metrics_after"] = result.metrics_of_adapter;
    }
  }
  if (result.sample)
    json["sample"] = {{"question", result.sample->question},
                      {"expected", result.sample->expected},
                      {"base", result.sample->base},
                      {"tuned", result.sample->tuned}};
  return json;
}

}  // namespace toolkit::finetune
