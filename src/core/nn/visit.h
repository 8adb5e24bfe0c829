#pragma once

#include <string>
#include <type_traits>
#include <vector>

#include "core/nn/linear.h"
#include "mlx/array.h"

namespace toolkit::nn {

/// Layers are plain structs with one `template <class V> void visit(V& v)` that names members in
/// the checkpoint's own words: `v("q_proj", q_proj)`. Walker turns that into full dotted paths.
/// `Callback` has operator()(const std::string& path, T&) for Linear, Embedding and mx::array.
template <class Callback>
class Walker {
 public:
  explicit Walker(Callback& callback, std::string prefix = "")
      : callback_(callback), prefix_(std::move(prefix)) {}

  template <class T>
  void operator()(const std::string& name, T& member) {
    const std::string path = prefix_.empty() ? name : prefix_ + "." + name;
    if constexpr (requires { callback_(path, member); }) {
      callback_(path, member);
    } else {
      Walker inner(callback_, path);
      member.visit(inner);
    }
  }

  template <class T>
  void operator()(const std::string& name, std::vector<T>& members) {
    for (size_t i = 0; i < members.size(); ++i) (*this)(name + "." + std::to_string(i), members[i]);
  }

 private:
  Callback& callback_;
  std::string prefix_;
};

}  // namespace toolkit::nn
