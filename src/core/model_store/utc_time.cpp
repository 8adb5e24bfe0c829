#include "core/model_store/utc_time.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

namespace toolkit::model_store {

namespace chrono = std::chrono;

int64_t now_s() {
  return chrono::duration_cast<chrono::seconds>(chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string utc_text(int64_t seconds) {
  const auto time = chrono::sys_seconds(chrono::seconds(seconds));
  const auto day = chrono::floor<chrono::days>(time);
  const chrono::year_month_day date(day);
  const chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::optional<int64_t> parse_utc(const std::string& text) {
  int year = 0, hour = 0, minute = 0, second = 0;
  unsigned month = 0, day = 0;
  if (std::sscanf(text.c_str(), "%4d-%2u-%2uT%2d:%2d:%2d", &year, &month, &day, &hour, &minute,
                  &second) != 6)
    return std::nullopt;
  const chrono::year_month_day date{chrono::year(year), chrono::month(month), chrono::day(day)};
  if (!date.ok()) return std::nullopt;
  const int64_t seconds =
      chrono::duration_cast<chrono::seconds>(chrono::sys_days(date).time_since_epoch()).count() +
      hour * 3600 + minute * 60 + second;
  // The one spelling of that moment, or something else stood there.
  return utc_text(seconds) == text ? std::optional(seconds) : std::nullopt;
}

std::string shown_age(const std::string& utc, int64_t now) {
  if (utc.empty()) return "never";
  const std::optional<int64_t> then = parse_utc(utc);
  if (!then) return "?";
  const int64_t days = (now - *then) / kDaySeconds;
  if (days <= 0) return "today";
  if (days == 1) return "yesterday";
  if (days < 60) return fmt::format("{} days ago", days);
  if (days < 730) return fmt::format("{} months ago", days / 30);
  return fmt::format("{} years ago", days / 365);
}

}  // namespace toolkit::model_store
