#include "core/monitor/sources/ollama_answers.h"

#include <chrono>
#include <cstdio>

#include "core/files/safe_path.h"

namespace toolkit::monitor {

std::string text_of(const Json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return "";
  return files::escaped(found->get<std::string>().substr(0, 300));
}

std::optional<int64_t> number_of(const Json& object, const char* key) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<int64_t>();
}

std::optional<int64_t> parse_time(const std::string& text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute,
                  &second, &used) != 6)
    return std::nullopt;
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(year),
                            std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0)
    return std::nullopt;
  int64_t seconds = duration_cast<std::chrono::seconds>(sys_days(date).time_since_epoch()).count();
  seconds += hour * 3600 + minute * 60 + second;
  const size_t zone = text.find_first_of("+-Z", static_cast<size_t>(used));
  if (zone == text.npos) return std::nullopt;
  int zone_hours = 0, zone_minutes = 0;
  if (text[zone] != 'Z') {
    if (std::sscanf(text.c_str() + zone + 1, "%2d:%2d", &zone_hours, &zone_minutes) != 2)
      return std::nullopt;
    const int offset = zone_hours * 3600 + zone_minutes * 60;
    seconds -= text[zone] == '+' ? offset : -offset;
  }
  return seconds;
}

std::optional<OllamaLoaded> parse_ollama_ps(const Json& answer) {
  if (!answer.is_object() || !answer.contains("models")) return std::nullopt;
  const Json& list = answer["models"];
  if (!list.is_array() && !list.is_null()) return std::nullopt;
  OllamaLoaded loaded;
  for (const Json& entry : list) {
    const std::string name = text_of(entry, "name");
    if (name.empty() || !text_of(entry, "remote_host").empty()) continue;
    const Json details = entry.value("details", Json::object());
    LoadedModel model{.name = name,
                      .parameters = text_of(details, "parameter_size"),
                      .quantization = text_of(details, "quantization_level"),
                      .size_bytes = number_of(entry, "size"),
                      .context_length = number_of(entry, "context_length"),
                      .expires_at_s = parse_time(text_of(entry, "expires_at"))};
    // A model that lies in main memory alone comes without size_vram, or with 0.
    if (model.size_bytes) model.gpu_bytes = number_of(entry, "size_vram").value_or(0);
    loaded.expires_at.push_back(text_of(entry, "expires_at"));
    loaded.models.push_back(std::move(model));
  }
  return loaded;
}

}  // namespace toolkit::monitor
