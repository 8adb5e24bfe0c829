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

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace toolkit::tensor::cpu {

HWY_EXPORT(TargetName);

namespace {

constexpr const char* kAmx = "AMX";
bool amx_wanted = true;

/// Intel SDM, CPUID leaf 7: AMX-BF16, AMX-TILE, AMX-INT8 are bits 22, 24, 25 of EDX; AVX512_BF16 is
/// bit 5 of EAX of subleaf 1. Linux hands out the tiles' state on request only
/// (Documentation/arch/x86/xstate.rst: ARCH_REQ_XCOMP_PERM 0x1023, XFEATURE_XTILEDATA 18).
bool machine_has_amx() {
#if defined(__x86_64__) && defined(__linux__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kTiles = 1u << 22 | 1u << 24 | 1u << 25;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kTiles) != kTiles) return false;
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d) == 0 || (a & 1u << 5) == 0) return false;
  return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
#else
  return false;
#endif
}

std::string vector_target() {
  return HWY_DYNAMIC_DISPATCH(TargetName)();
}

std::vector<int64_t> usable_targets() {
  hwy::SetSupportedTargetsForTest(0);
  return hwy::SupportedAndGeneratedTargets();
}

bool can_use_amx() {
  static const bool has = machine_has_amx();
  return has && vector_target() == "AVX3";
}

}  // namespace

bool uses_amx() {
  return amx_wanted && can_use_amx();
}

std::string kernel_target() {
  return uses_amx() ? kAmx : vector_target();
}

std::vector<std::string> kernel_targets() {
  const std::string before = kernel_target();
  std::vector<std::string> names;
  force_kernel_target("");
  if (uses_amx()) names.push_back(kAmx);
  for (const int64_t target : usable_targets()) names.push_back(hwy::TargetName(target));
  force_kernel_target(before);
  return names;
}

void force_kernel_target(const std::string& name) {
  int64_t wanted = 0;
  const std::vector<int64_t> usable = usable_targets();
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  std::string known = can_use_amx() ? std::string(" ") + kAmx : "";
  const std::string vectors = name == kAmx && can_use_amx() ? "AVX3" : name;
  for (const int64_t target : usable) {
    const std::string each = hwy::TargetName(target);
    if (each == vectors) wanted = target;
    known += " " + each;
  }
  if (wanted == 0 && !name.empty())
    fail(ErrorKind::kUserInput, "no CPU kernels for '{}' here: this machine and build have{}", name,
         known);
  amx_wanted = name.empty() || name == kAmx;
  hwy::SetSupportedTargetsForTest(wanted);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace toolkit::tensor::cpu
#endif
