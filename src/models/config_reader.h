#pragma once

#include <cmath>
#include <limits>
#include <string>

#include "core/base/error.h"
#include "core/base/json.h"

namespace toolkit::models {

/// Reads checked values out of one JSON object of a model's configuration; `null` counts as absent.
class ConfigReader {
 public:
  ConfigReader(const Json& object, std::string source)
      : object_(object), source_(std::move(source)) {}

  bool has(const std::string& key) const {
    return object_.contains(key) && !object_.at(key).is_null();
  }

  int integer(const std::string& key, int64_t minimum, int64_t maximum) const {
    const Json& value = need(key);
    if (!value.is_number_integer()) wrong(key, "a whole number", value);
    const int64_t number = value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX
                               ? INT64_MAX
                               : value.get<int64_t>();
    if (number < minimum || number > maximum)
      fail(ErrorKind::kUserInput, "{}: \"{}\" must lie in {}..{}, found {}", source_, key, minimum,
           maximum, number);
    return static_cast<int>(number);
  }
  int integer_or(const std::string& key, int fallback, int64_t minimum, int64_t maximum) const {
    return has(key) ? integer(key, minimum, maximum) : fallback;
  }

  /// A finite number greater than zero.
  double positive(const std::string& key) const {
    const Json& value = need(key);
    if (!value.is_number()) wrong(key, "a number", value);
    const double number = value.get<double>();
    if (!(number > 0.0) || !std::isfinite(number)) wrong(key, "a number above zero", value);
    return number;
  }
  double positive_or(const std::string& key, double fallback) const {
    return has(key) ? positive(key) : fallback;
  }

  bool flag_or(const std::string& key, bool fallback) const {
    if (!has(key)) return fallback;
    const Json& value = object_.at(key);
    if (!value.is_boolean()) wrong(key, "true or false", value);
    return value.get<bool>();
  }

  std::string text_or(const std::string& key, const std::string& fallback) const {
    if (!has(key)) return fallback;
    const Json& value = object_.at(key);
    if (!value.is_string()) wrong(key, "a text", value);
    return value.get<std::string>();
  }

  const Json& at(const std::string& key) const { return object_.at(key); }
  const std::string& source() const { return source_; }

  [[noreturn]] void wrong(const std::string& key, const char* expected, const Json& found) const {
    fail(ErrorKind::kUserInput, "{}: \"{}\" must be {}, found {}", source_, key, expected,
         found.dump().substr(0, 80));
  }

 private:
  const Json& need(const std::string& key) const {
    if (!has(key)) fail(ErrorKind::kUserInput, "{}: \"{}\" is missing", source_, key);
    return object_.at(key);
  }

  const Json& object_;
  std::string source_;
};

}  // namespace toolkit::models
