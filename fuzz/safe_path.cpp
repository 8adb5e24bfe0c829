#include "core/files/safe_path.h"

#include <cstdlib>
#include <filesystem>

#include "core/hash/digest.h"
#include "fuzz/target.h"

/// A file name of a repository, as it comes from outside.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  const std::string name = fuzz::as_text(data, size);
  // What is allowed stays below the folder it is put into, and can be shown.
  if (files::why_unsafe_path(name).empty()) {
    const std::filesystem::path root = "/below/this";
    const auto relative = (root / name).lexically_normal().lexically_relative(root);
    if (relative.empty() || *relative.begin() == ".." || name.find('\0') != std::string::npos)
      std::abort();
    if (files::escaped(name) != name) std::abort();
    if (!files::why_unsafe_own_path(name).empty()) std::abort();
  }
  for (const char letter : files::escaped(name))
    if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) std::abort();
  if (files::folded_path(name).size() != name.size()) std::abort();
  if (const auto digest = hash::parse_digest(name); digest && digest->hex.size() % 8 != 0)
    std::abort();
  return fuzz::expect_no_crash([&] { files::check_relative_path(name, "org/model"); });
}
