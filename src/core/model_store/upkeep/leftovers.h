#pragma once

#include <cstdint>
#include <vector>

#include "core/model_store/upkeep/clean.h"

namespace toolkit::model_store {

inline constexpr int64_t kGraceSeconds = 86'400;

/// What dead processes left in our store and nobody will come back for: rests of downloads and
/// temporary names older than `grace_s` whose lock is free, folders half made or half removed,
/// links that lead nowhere, journals with nothing left to undo.
std::vector<CleanItem> find_leftovers(const Layout& layout, int64_t now_s,
                                      int64_t grace_s = kGraceSeconds);

/// Looks once more and removes one of them. Returns freed bytes; 0 if it is in use by now.
uint64_t remove_leftover(const Layout& layout, const CleanItem& item, int64_t now_s,
                         int64_t grace_s = kGraceSeconds);

/// A model that is shown by symlinks (the folder itself or files in it) of which one leads nowhere,
/// while the place it led to is still there: not an unmounted volume.
bool dangles(const std::filesystem::path& model_folder);

}  // namespace toolkit::model_store
