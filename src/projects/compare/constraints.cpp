#include "projects/compare/constraints.h"

#include <cmath>
#include <cstdlib>
#include <map>

#include "core/base/error.h"
#include "core/files/disk_space.h"

namespace toolkit::compare {

namespace {

using Units = std::map<std::string, double>;

const Units& sizes() {
  static const Units units = {{"B", 1},      {"kB", 1e3},      {"KB", 1e3},
                              {"MB", 1e6},   {"GB", 1e9},      {"TB", 1e12},
                              {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 0x1p30}};
  return units;
}

const Units& times() {
  static const Units units = {{"s", 1}, {"sec", 1}, {"m", 60}, {"min", 60}, {"h", 3600}};
  return units;
}

double quantity(const std::string& text, const Units& units, const std::string& whole,
                const char* example) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  std::string unit = end;
  unit.erase(0, unit.find_first_not_of(' '));
  const auto found = units.find(unit);
  if (end == text.c_str() || !std::isfinite(number) || number <= 0 || found == units.end())
    fail(ErrorKind::kUserInput, "--constraint {}: expected a number with its unit, such as {}",
         whole, example);
  return number * found->second;
}

}  // namespace

Constraints read_constraints(const std::vector<std::string>& texts) {
  Constraints constraints;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
    if (name == "memory")
      constraints.memory_bytes = quantity(value, sizes(), text, "memory=4GB");
    else if (name == "time")
      constraints.seconds = quantity(value, times(), text, "time=10min");
    else if (name == "adapter")
      constraints.adapter_bytes = quantity(value, sizes(), text, "adapter=50MB");
    else
      fail(ErrorKind::kUserInput,
           "--constraint {}: expected memory=4GB, time=10min or adapter=50MB", text);
  }
  return constraints;
}

std::string shown_seconds(double seconds) {
  if (!std::isfinite(seconds)) return "-";
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1000);
  const auto whole = static_cast<long>(std::lround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string shown_size(double bytes) {
  return std::isfinite(bytes) && bytes >= 0 ? files::shown_bytes(static_cast<uint64_t>(bytes))
                                            : "-";
}

}  // namespace toolkit::compare
