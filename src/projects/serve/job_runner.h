#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "projects/serve/job_store.h"

namespace toolkit::serve {

struct JobRunnerOptions {
  std::string program;  // mlx-toolkit
  int threads = 0;      // of a job's arithmetic; 0: half of the machine's
  int niceness = 10;    // answers come first
  /// The finished adapter: to be served at once.
  std::function<void(const FineTuningJob&, const std::filesystem::path& adapter)> finished;
};

/// Runs jobs one after another, each as `mlx-toolkit finetune` in a process of its own, which ends
/// with this one. A job that was running when the server was killed goes on from its last
/// checkpoint when it starts again.
class JobRunner {
 public:
  JobRunner(JobStore& store, JobRunnerOptions options);
  /// The running job saves and stops; it goes on at the next start.
  ~JobRunner();

  void wake();  // a job was added
  /// Ends a job for good: at once if it waits, else its process saves and ends. False if it is
  /// over.
  bool cancel(const std::string& id);

 private:
  void work();
  void run(FineTuningJob job);
  void end(FineTuningJob job, const Json& result, int status);

  JobStore& store_;
  JobRunnerOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::string running_, cancelled_;  // ids
  std::thread thread_;
};

/// Where the adapter of a finished job lies.
std::filesystem::path adapter_folder(const JobStore& store, const std::string& job);

/// "ft:smollm2-135m:suffix:abc123"
std::string fine_tuned_name(const FineTuningJob& job);

/// The command line of a job. `resume`: goes on from its last checkpoint.
std::vector<std::string> finetune_arguments(const JobStore& store, const FineTuningJob& job,
                                            bool resume);

}  // namespace toolkit::serve
