#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/checkpoint/model_files.h"
#include "core/checkpoint/weight_form.h"
#include "core/checkpoint/write/adapter_merge.h"

namespace toolkit::checkpoint {

/// The form that weights get on their way out.
///   kKeep    each its own; merged ones become dense, in the type of their scales if they were
///   packed kDense   `dtype`, or each its own (of the scales) kAffine  MLX's groups, embeddings and
///   head too; rows that do not divide into groups stay dense kBlocks  GGUF's Q8_0, Q4_0 or Q4_1 by
///   ggml's rules; embeddings and head then Q8_0, rows that do
///            not divide into 32 F16
/// A weight that has its form already goes over bit for bit.
struct TargetForm {
  enum class Kind { kKeep, kDense, kAffine, kBlocks };
  Kind kind = Kind::kKeep;
  std::optional<mx::Dtype> dtype;  // kDense
  int bits = 4, group_size = 64;   // kAffine
  uint32_t block_type = 0;         // kBlocks
  bool for_gguf = false;           // packed weights that GGUF's blocks cannot hold become dense
};

/// How much of what an adapter changes arrived in the weights as they were written.
struct MergeLoss {
  double kept = 1.0;   // <written - base, change> / <change, change>
  double noise = 0.0;  // |written - base - change| / |change|
  std::string worst_module;
  double worst_kept = 1.0;
  int modules = 0;
};

/// A model as ModelFiles with an adapter merged in and its weights in another form, each made when
/// it is asked for.
class ConvertedModel : public ModelFiles, public KnownForms {
 public:
  /// Throws Error(kUserInput) for an adapter that does not fit.
  ConvertedModel(std::unique_ptr<ModelFiles> base, std::optional<Adapter> adapter,
                 TargetForm target);

  const std::filesystem::path& path() const override { return base_->path(); }
  std::string config_json() const override { return base_->config_json(); }
  std::optional<std::string> tokenizer_json() const override { return base_->tokenizer_json(); }
  std::optional<std::string> chat_template() const override { return base_->chat_template(); }
  std::string bos_token() const override { return base_->bos_token(); }
  std::string eos_token() const override { return base_->eos_token(); }
  std::vector<int32_t> stop_ids() const override { return base_->stop_ids(); }
  std::vector<std::string> modules() const override { return base_->modules(); }
  bool has(const std::string& module) const override { return base_->has(module); }
  uint64_t size_bytes() const override { return base_->size_bytes(); }
  std::optional<text::GgufVocabulary> gguf_vocabulary() const override {
    return gguf_vocabulary_of(*base_);
  }

  tensor::Weight weight(const std::string& module) const override;
  WeightForm form(const std::string& module) const;
  std::optional<WeightForm> known_form(const std::string& module) const override {
    return form(module);
  }
  std::optional<mx::array> bias(const std::string& module) const override;

  /// Over the merged weights that were asked for so far.
  MergeLoss merge_loss() const;

 private:
  WeightForm kept_form(const std::string& module, const WeightForm& own) const;
  tensor::Weight in_form(const std::string& module, const mx::array& values,
                         const WeightForm& form) const;

  /// Products of what an adapter changes with what arrived of it, summed over weights.
  struct Change {
    double whole = 0.0, arrived = 0.0, missed = 0.0;
    void add(const mx::array& base, const mx::array& exact, const mx::array& written);
  };
  void note(const std::string& module, const Change& change) const;

  std::unique_ptr<ModelFiles> base_;
  std::optional<AdapterMerge> merge_;
  TargetForm target_;
  mutable Change all_;
  mutable MergeLoss loss_;
};

}  // namespace toolkit::checkpoint
