#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "core/checkpoint/adapter.h"
#include "core/checkpoint/model_files.h"

namespace toolkit::checkpoint {

/// An adapter ready to be merged into the weights of a model, module by module.
class AdapterMerge {
 public:
  /// Throws Error(kUserInput) naming every tensor whose module or shape the model does not have.
  AdapterMerge(Adapter adapter, const ModelFiles& model);

  bool changes(const std::string& module) const { return modules_.contains(module); }
  /// `rows` of W (out, in), f32, from `first_row` on, with the adapter in them, f32:
  /// W + scale (a b)^T, in DoRA with its rows rescaled to the norms m; the adapter's own weight
  /// where it holds whole ones.
  mx::array merged(const std::string& module, const mx::array& rows, int first_row) const;
  /// The adapter's own bias, or the one given.
  std::optional<mx::array> bias(const std::string& module, std::optional<mx::array> bias) const;

 private:
  const mx::array* find(const std::string& module, const char* leaf) const;

  Adapter adapter_;
  std::set<std::string> modules_;
};

}  // namespace toolkit::checkpoint
