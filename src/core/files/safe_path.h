#pragma once

#include <string>
#include <string_view>

namespace toolkit::files {

/// Why a relative path from outside (a repository's file list, a manifest, a metadata file) may not
/// be used, or "" if it may. Refused on every system: empty, absolute, drive and UNC prefixes, `\`,
/// `.` and `..` parts, empty parts, control characters (marks that turn the writing direction
/// included), NUL, invalid UTF-8, a part over 255 bytes,
/// the whole over 1024, parts that end in a dot or blank, Windows device names, and parts that
/// begin with our own temporary prefix.
std::string why_unsafe_path(std::string_view relative);

/// The same for paths that we made: our own temporary names are allowed.
std::string why_unsafe_own_path(std::string_view relative);

/// The same, throwing Error(kUserInput) "<where>: file name '<escaped>': <why>".
void check_relative_path(std::string_view relative, const std::string& where);

/// A path as case-insensitive file systems compare it (ASCII letters folded): two files of a model
/// whose folded paths are equal cannot lie in one folder everywhere.
std::string folded_path(std::string_view relative);

/// Text from outside made fit for a terminal or log: control characters and invalid UTF-8 as \xNN.
std::string escaped(std::string_view text);

}  // namespace toolkit::files
