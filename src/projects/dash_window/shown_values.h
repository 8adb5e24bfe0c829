#pragma once

#include <QString>
#include <cstdint>
#include <optional>

namespace toolkit::dash {

inline constexpr const char* kUnknown = "unknown";

/// "87 %"; kUnknown where nothing is told.
QString shown_or_unknown(const std::optional<double>& value, const QString& unit, int digits = 0);
/// "41.3"; a dash where nothing is known.
QString number_or_dash(const std::optional<double>& value, int digits = 1);
/// "2026-11-27 14:05" on this machine's clock.
QString local_time(int64_t seconds);
/// "1:05:09".
QString duration(int64_t seconds);

}  // namespace toolkit::dash
