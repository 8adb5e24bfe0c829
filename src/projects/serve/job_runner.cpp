#include "projects/serve/job_runner.h"

#include <algorithm>
#include <fstream>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/subprocess.h"
#include "core/model_store/utc_time.h"
#include "core/platform/hardware.h"
#include "engine/train/default_learning_rate.h"

namespace toolkit::serve {

namespace {

namespace fs = std::filesystem;

/// The file under another name; a copy where the file system has no second names.
void place(const fs::path& from, const fs::path& to) {
  fs::create_directories(to.parent_path());
  std::error_code error;
  fs::remove(to, error);
  fs::create_hard_link(from, to, error);
  if (error) fs::copy_file(from, to);
}

bool has_checkpoint(const fs::path& output) {
  std::error_code error;
  return fs::exists(output / "checkpoints", error) && !fs::is_empty(output / "checkpoints", error);
}

/// Tells the lines that a run added to its metrics.jsonl, step by step.
class MetricsReader {
 public:
  explicit MetricsReader(fs::path path, bool from_now) : path_(std::move(path)) {
    std::error_code error;
    const auto size = fs::file_size(path_, error);
    if (from_now && !error) read_ = size;
  }

  /// `tell(step, values)` for every step that is complete: the next one began.
  void read(const std::function<void(int64_t, const Json&)>& tell) {
    std::ifstream file(path_, std::ios::binary);
    if (!file.seekg(static_cast<std::streamoff>(read_))) return;
    std::string line;
    while (std::getline(file, line) && !file.eof()) {
      read_ += line.size() + 1;
      const Json metric = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (!metric.is_object() || !metric.contains("step") || !metric.contains("name")) continue;
      const int64_t step = metric.value("step", int64_t{0});
      if (step != step_) flush(tell);
      step_ = step;
      values_[metric.value("name", "")] = metric.value("value", Json());
    }
  }
  void flush(const std::function<void(int64_t, const Json&)>& tell) {
    if (!values_.empty()) tell(step_, values_);
    values_ = Json::object();
  }

 private:
  fs::path path_;
  uint64_t read_ = 0;
  int64_t step_ = -1;
  Json values_ = Json::object();
};

/// The reason in the log of a failed run: what follows its last "error: ".
std::string fault_in(const fs::path& log) {
  std::string text = end_of_log(log, 2000);
  if (const size_t error = text.rfind("error: "); error != std::string::npos)
    text = text.substr(error + 7);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text.empty() ? "it ended without a word" : text;
}

}  // namespace

fs::path adapter_folder(const JobStore& store, const std::string& job) {
  return store.job_folder(job) / "output";
}

std::string fine_tuned_name(const FineTuningJob& job) {
  std::string base = job.model;
  if (const size_t scheme = base.find("://"); scheme != std::string::npos)
    base = base.substr(scheme + 3);
  for (char& c : base)
    if (c == '/' || c == ':') c = '-';
  return fmt::format("ft:{}:{}:{}", base, job.suffix, job.id.substr(job.id.size() - 8));
}

std::vector<std::string> finetune_arguments(const JobStore& store, const FineTuningJob& job,
                                            bool resume) {
  const fs::path folder = store.job_folder(job.id);
  std::vector<std::string> arguments = {"finetune",
                                        "--model",
                                        job.base,
                                        "--data",
                                        (folder / "data").string(),
                                        "--output",
                                        adapter_folder(store, job.id).string(),
                                        "--seed",
                                        std::to_string(job.seed),
                                        "--sample",
                                        "0",
                                        "--save-every",
                                        "20",
                                        "--keep",
                                        "3",
                                        "--json"};
  const auto add = [&](const char* name, const Json& value) {
    arguments.push_back(name);
    arguments.push_back(value.dump());
  };
  const Json& given = job.hyperparameters;
  if (given.contains("n_epochs")) add("--epochs", given["n_epochs"]);
  if (given.contains("batch_size")) add("--accumulate", given["batch_size"]);
  if (given.contains("learning_rate_multiplier"))
    add("--learning-rate",
        engine::default_learning_rate(job.method == "dpo" ? "dpo" : "sft", "lora") *
            given["learning_rate_multiplier"].get<double>());
  if (job.method == "dpo") {
    arguments.insert(arguments.end(), {"--objective", "dpo"});
    if (given.contains("beta")) add("--beta", given["beta"]);
  }
  if (resume) arguments.push_back("--resume");
  return arguments;
}

JobRunner::JobRunner(JobStore& store, JobRunnerOptions options)
    : store_(store), options_(std::move(options)) {
  for (const FineTuningJob& job : store_.jobs()) {
    if (job.status == "succeeded") options_.finished(job, adapter_folder(store_, job.id));
    if (job.status != "running") continue;
    FineTuningJob again = job;
    again.status = "queued";
    store_.save(again);
    store_.add_event(
        job.id,
        has_checkpoint(adapter_folder(store_, job.id))
            ? "The server ended while this job ran: it goes on from its last checkpoint"
            : "The server ended while this job ran: it begins again",
        "warn");
  }
  thread_ = std::thread([this] { work(); });
}

JobRunner::~JobRunner() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void JobRunner::wake() {
  changed_.notify_all();
}

bool JobRunner::cancel(const std::string& id) {
  const std::lock_guard lock(mutex_);
  auto job = store_.find_job(id);
  if (!job || (job->status != "queued" && job->status != "running")) return false;
  if (running_ == id) {
    cancelled_ = id;
    changed_.notify_all();
  }
  job->status = "cancelled";
  job->finished_at = model_store::now_s();
  store_.save(*job);
  store_.add_event(id, "The job was cancelled");
  return true;
}

void JobRunner::work() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    const std::vector<FineTuningJob> jobs = store_.jobs();
    const auto next = std::find_if(jobs.rbegin(), jobs.rend(),
                                   [](const FineTuningJob& job) { return job.status == "queued"; });
    if (next == jobs.rend()) {
      changed_.wait_for(lock, std::chrono::seconds(5));
      continue;
    }
    FineTuningJob job = *next;
    job.status = "running";
    store_.save(job);
    running_ = job.id;
    lock.unlock();
    try {
      run(job);
    } catch (const std::exception& error) {
      job.status = "failed";
      job.error = error.what();
      job.finished_at = model_store::now_s();
      store_.save(job);
      store_.add_event(job.id, job.error, "error");
    }
    lock.lock();
    running_.clear();
  }
}

void JobRunner::run(FineTuningJob job) {
  const fs::path folder = store_.job_folder(job.id), output = adapter_folder(store_, job.id);
  for (const auto& [id, name] : {std::pair(job.training_file, "train.jsonl"),
                                 std::pair(job.validation_file, "valid.jsonl")}) {
    if (id.empty() || fs::exists(folder / "data" / name)) continue;
    const auto file = store_.find_file(id);
    if (!file) fail(ErrorKind::kNotFound, "the file {} was deleted before the job began", id);
    place(store_.file_path(*file), folder / "data" / name);
  }
  const bool resume = has_checkpoint(output);
  std::vector<std::string> argv = {"nice", "-n", std::to_string(options_.niceness),
                                   options_.program};
  const auto arguments = finetune_arguments(store_, job, resume);
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const std::string threads = std::to_string(
      options_.threads > 0 ? options_.threads : std::max(1, platform::detect_hardware().cores / 2));
  MetricsReader metrics(output / "metrics.jsonl", resume);
  Subprocess process = Subprocess::start(
      argv, {.output = folder / "result.json",
             .log = folder / "finetune.log",
             .environment = {{"MLX_TOOLKIT_THREADS", threads}, {"OPENBLAS_NUM_THREADS", threads}},
             .own_group = true,
             .ends_with_parent = true});
  store_.add_event(job.id, resume ? "Training goes on" : "Training begins");
  const auto tell = [&](int64_t step, const Json& values) {
    Json data = values;
    data["step"] = step;
    const Json loss = values.value("train_loss", values.value("validation_loss", Json()));
    store_.add_event(job.id, fmt::format("Step {}: loss {}", step, loss.dump()), "info", data);
  };
  bool interrupted = false;
  std::optional<int> status;
  while (!(status = process.poll())) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(200));
    const bool end = ending_ || cancelled_ == job.id;
    lock.unlock();
    if (end && !interrupted) process.interrupt();
    interrupted = interrupted || end;
    metrics.read(tell);
  }
  metrics.read(tell);
  metrics.flush(tell);
  const std::lock_guard lock(mutex_);
  if (cancelled_ == job.id) return;    // its row says so
  if (interrupted && ending_) return;  // stays "running": goes on at the next start
  std::string text;
  std::error_code missing;
  if (fs::exists(folder / "result.json", missing))
    text = read_file(folder / "result.json", 1 << 24);
  end(std::move(job), last_json_line(text), *status);
}

void JobRunner::end(FineTuningJob job, const Json& result, int status) {
  job.finished_at = model_store::now_s();
  if (status == 0 && result.is_object()) {
    job.status = "succeeded";
    job.fine_tuned_model = fine_tuned_name(job);
    if (result.contains("tokens") && result["tokens"].is_number())
      job.trained_tokens = result["tokens"].get<int64_t>();
    // The adapter is served before clients are told its name.
    options_.finished(job, adapter_folder(store_, job.id));
    store_.save(job);
    store_.add_event(job.id, "The job has succeeded: " + job.fine_tuned_model);
    return;
  }
  job.status = "failed";
  job.error = fault_in(store_.job_folder(job.id) / "finetune.log");
  if (result.is_object() && result.contains("error")) {
    const Json& error = result["error"];
    if (error.is_object() && error.contains("message") && error["message"].is_string())
      job.error = error["message"].get<std::string>();
  }
  // A client knows its files by what they are, not where they lie.
  const std::string folder = (store_.job_folder(job.id) / "").string();
  for (size_t at; (at = job.error.find(folder)) != std::string::npos;)
    job.error.erase(at, folder.size());
  store_.save(job);
  store_.add_event(job.id, job.error, "error");
}

}  // namespace toolkit::serve
