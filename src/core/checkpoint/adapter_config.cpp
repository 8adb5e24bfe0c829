#include "core/checkpoint/adapter_config.h"

#include <cmath>

#include "core/base/error.h"
#include "core/checkpoint/utf8.h"

namespace toolkit::checkpoint {

double config_number(const Json& object, const char* key, double low, double high,
                     const std::string& file) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number() || !(found->get<double>() >= low) ||
      !(found->get<double>() <= high))
    fail(ErrorKind::kUserInput, "{}: expected \"{}\" to be a number from {} to {}, found {}", file,
         printable(key), low, high, found == object.end() ? "nothing" : printable(found->dump()));
  return *found;
}

int config_whole(const Json& object, const char* key, int low, int high, const std::string& file) {
  const double value = config_number(object, key, low, high, file);
  if (value != std::floor(value))
    fail(ErrorKind::kUserInput, "{}: expected \"{}\" to be a whole number, found {}", file,
         printable(key), value);
  return static_cast<int>(value);
}

}  // namespace toolkit::checkpoint
