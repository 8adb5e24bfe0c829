#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace toolkit::model_store {

inline constexpr int64_t kDaySeconds = 86'400;

int64_t now_s();  // seconds since 1970

/// "2026-11-21T15:44:28Z": how the registry, .metadata.json and exports write a time.
std::string utc_text(int64_t seconds);

/// Exactly that form, a day that exists; empty for anything else.
std::optional<int64_t> parse_utc(const std::string& text);

/// "today", "yesterday", "12 days ago", "3 months ago", "never" for an empty text: for tables.
std::string shown_age(const std::string& utc, int64_t now);

}  // namespace toolkit::model_store
