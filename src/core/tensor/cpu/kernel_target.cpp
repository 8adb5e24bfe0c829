#include "core/tensor/cpu/kernel_target.h"

#include "core/base/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/kernel_target.cpp"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

const char* TargetName() {
  return hwy::TargetName(HWY_TARGET);
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(TargetName);

std::string kernel_target() {
  return HWY_DYNAMIC_DISPATCH(TargetName)();
}

namespace {

std::vector<int64_t> usable_targets() {
  hwy::SetSupportedTargetsForTest(0);
  return hwy::SupportedAndGeneratedTargets();
}

}  // namespace

std::vector<std::string> kernel_targets() {
  const std::string before = kernel_target();
  std::vector<std::string> names;
  for (const int64_t target : usable_targets()) names.push_back(hwy::TargetName(target));
  force_kernel_target(before);
  return names;
}

void force_kernel_target(const std::string& name) {
  int64_t wanted = 0;
  std::string known;
  for (const int64_t target : usable_targets()) {
    const std::string each = hwy::TargetName(target);
    if (each == name) wanted = target;
    known += " " + each;
  }
  if (wanted == 0 && !name.empty())
    fail(ErrorKind::kUserInput, "no CPU kernels for '{}' here: this machine and build have{}", name,
         known);
  hwy::SetSupportedTargetsForTest(wanted);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace toolkit::tensor::cpu
#endif
