#include "projects/serve/service.h"

namespace toolkit::serve {

void Service::remove_fine_tuned(const ServedModel& model) {
  names.remove(model.name);
  if (!jobs) return;
  for (const FineTuningJob& job : jobs->store.jobs())
    if (job.status == "succeeded" && job.fine_tuned_model == model.name)
      jobs->store.remove_job(job.id);
}

}  // namespace toolkit::serve
