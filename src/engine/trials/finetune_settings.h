#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/base/json.h"

namespace toolkit::trials {

/// Settings of `finetune` by name ("learning-rate"), as texts that a command line takes.
using Settings = std::map<std::string, std::string>;

/// The fields of `finetune` as `<program> finetune --help --json` lists them. Throws Error(kIo) if
/// it lists none.
Json finetune_fields(const std::string& program, const std::filesystem::path& log);

/// The field of this name ('-' or '_'), nullptr if finetune has none.
const Json* find_field(const Json& fields, const std::string& name);

/// Whether a field can hold this text. Throws Error(kUserInput) "where: ..." if not.
void check_value(const Json& field, const std::string& text, const std::string& where);

/// Settings that every trial has: of a YAML file ("": none), then of `name=value` texts. Throws
/// Error(kUserInput) naming a setting that finetune does not have, that `command` sets itself
/// (`reserved`), or whose value does not fit.
Settings fixed_settings(const std::string& file, const std::vector<std::string>& assignments,
                        const Json& fields, std::span<const char* const> reserved,
                        const std::string& command);

/// A YAML file for `finetune --config`.
std::string to_yaml(const Settings& settings, const Json& fields);

}  // namespace toolkit::trials
