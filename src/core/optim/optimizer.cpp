#include "core/optim/optimizer.h"

#include "core/base/error.h"
#include "core/optim/adafactor.h"
#include "core/optim/adamw.h"
#include "core/optim/lion.h"
#include "core/optim/muon.h"
#include "core/optim/sgd.h"

namespace toolkit::optim {

namespace {

struct Entry {
  const char* name;
  std::unique_ptr<Optimizer> (*make)(const OptimizerSettings&);
};

const Entry kOptimizers[] = {
    {"adamw", make_adamw},
    {"adamw8bit", make_adamw_8bit},
    {"adafactor", make_adafactor},
    {"lion", make_lion},
    {"sgd", make_sgd},
    {"muon", make_muon},
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
