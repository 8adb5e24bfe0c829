#include "core/optim/optimizer.h"

#include "core/base/error.h"
#include "core/optim/adamw.h"

namespace toolkit::optim {

namespace {

struct Entry {
  const char* name;
  std::unique_ptr<Optimizer> (*make)(const OptimizerSettings&);
};

const Entry kOptimizers[] = {
    {"adamw", make_adamw},
};

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const std::string& name,
                                          const OptimizerSettings& settings) {
  std::string known;
  for (const Entry& entry : kOptimizers) {
    if (name == entry.name) return entry.make(settings);
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  fail(ErrorKind::kUserInput, "no optimizer '{}'; there are: {}", name, known);
}

std::vector<std::string> optimizer_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kOptimizers) names.push_back(entry.name);
  return names;
}

}  // namespace toolkit::optim
