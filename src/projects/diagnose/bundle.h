#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "projects/diagnose/redact.h"

namespace toolkit::diagnose {

/// One file of the bundle, redacted.
struct Entry {
  std::string name;  // "logs/mlx-dash.log"
  std::string text;
};

/// Versions, hardware, settings, the ends of logs, recent errors, summaries of databases (tables
/// and counts, no contents), the findings of `check`. All of it redacted.
std::vector<Entry> collect(const Redactor& redactor, const std::string& version);

/// Writes them as a zip that only this user can read. Throws Error(kIo).
void write_zip(const std::filesystem::path& file, const std::vector<Entry>& entries);

}  // namespace toolkit::diagnose
