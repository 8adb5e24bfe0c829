#include "core/checkpoint/ggml_types.h"

#include "core/checkpoint/gguf_header.h"

namespace toolkit::checkpoint {

namespace {

constexpr GgmlTypeInfo kTypes[] = {
    {kGgmlF32, "F32", 1, 4},
    {kGgmlF16, "F16", 1, 2},
    {kGgmlQ4_0, "Q4_0", 32, 18},
    {kGgmlQ4_1, "Q4_1", 32, 20},
    {kGgmlQ5_0, "Q5_0", 32, 22},
    {kGgmlQ5_1, "Q5_1", 32, 24},
    {kGgmlQ8_0, "Q8_0", 32, 34},
    {9, "Q8_1", 32, 40},
    {kGgmlQ2_K, "Q2_K", 256, 84},
    {kGgmlQ3_K, "Q3_K", 256, 110},
    {kGgmlQ4_K, "Q4_K", 256, 144},
    {kGgmlQ5_K, "Q5_K", 256, 176},
    {kGgmlQ6_K, "Q6_K", 256, 210},
    {kGgmlQ8_K, "Q8_K", 256, 292},
    {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98},
    {19, "IQ1_S", 256, 50},
    {kGgmlIQ4_NL, "IQ4_NL", 32, 18},
    {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},
    {kGgmlIQ4_XS, "IQ4_XS", 256, 136},
    {24, "I8", 1, 1},
    {25, "I16", 1, 2},
    {26, "I32", 1, 4},
    {27, "I64", 1, 8},
    {28, "F64", 1, 8},
    {29, "IQ1_M", 256, 56},
    {kGgmlBF16, "BF16", 1, 2},
    {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},
    {39, "MXFP4", 32, 17},
    {40, "NVFP4", 64, 36},
    {41, "Q1_0", 128, 18},
};

}  // namespace

const GgmlTypeInfo* find_ggml_type(uint32_t type) {
  for (const GgmlTypeInfo& info : kTypes)
    if (info.type == type) return &info;
  return nullptr;
}

const char* ggml_type_name(uint32_t type) {
  const GgmlTypeInfo* info = find_ggml_type(type);
  return info ? info->name : "unknown";
}

}  // namespace toolkit::checkpoint
