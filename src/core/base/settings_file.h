#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/fields.h"

namespace toolkit {

/// `~/.mlx-infrastructure/config.yaml`: one section for each program of the suite.
std::filesystem::path suite_settings_file();

/// The text of a settings file, at most 1 MiB; "" if there is none.
std::string settings_text(const std::filesystem::path& path);

/// What a setting is called in files: '_' for '-'.
std::string setting_key(std::string name);

/// The field of that name, with '-' or '_'. Throws Error(kUserInput) for one that is not there,
/// with the nearest and the command that lists them, "mlx-cache config".
const Field& find_setting(const Fields& fields, const std::string& key, const std::string& listing);

/// Reads YAML text into fields as read_yaml does and returns the names of the fields it set. With a
/// `section` only the mapping below that top-level key is read, whatever else stands there; a
/// missing section sets nothing.
std::vector<std::string> read_yaml_text(const std::string& text, const std::string& source,
                                        const std::string& section, const Fields& fields);

/// The text with one setting of `section` ("" for the top level) changed or added, everything else
/// as it was, comments included. Does not look whether the result is what was meant: a value that
/// spreads over lines in an unusual way can be left half, so read it back.
std::string edited_yaml(const std::string& text, const std::string& section, const Field& field);

/// Writes the value of `field` into `section` of a file, which need not be there, as edited_yaml
/// does. `read_back`: the same settings of another object, as they are by default, to see whether
/// the file says it then. Throws Error(kUserInput) if it does not; nothing is written then.
void write_setting(const std::filesystem::path& path, const std::string& section,
                   const Field& field, const Fields& read_back);

}  // namespace toolkit
