#pragma once

#include <string>
#include <vector>

#include "core/base/fields.h"

namespace toolkit {

/// Reads YAML text into fields as read_yaml does and returns the names of the fields it set. With a
/// `section` only the mapping below that top-level key is read, whatever else stands there; a
/// missing section sets nothing.
std::vector<std::string> read_yaml_text(const std::string& text, const std::string& source,
                                        const std::string& section, const Fields& fields);

/// The text with one setting of `section` ("" for the top level) changed or added, everything else
/// as it was, comments included. Does not look whether the result is what was meant: a value that
/// spreads over lines in an unusual way can be left half, so read it back.
std::string edited_yaml(const std::string& text, const std::string& section, const Field& field);

}  // namespace toolkit
