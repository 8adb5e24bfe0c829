#include "engine/embed/text_embedder.h"

#include <algorithm>
#include <filesystem>
#include <functional>

#include "core/base/error.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/model_files.h"
#include "core/text/tokenizer.h"
#include "engine/embed/packing.h"
#include "engine/embed/pooling.h"
#include "engine/language_model.h"
#include "mlx/mlx.h"
#include "models/bert.h"
#include "models/resolve.h"

namespace toolkit::engine {

namespace {

namespace fs = std::filesystem;

// Enough rows for the products to run at full speed; what lies between stays in the cache.
constexpr int kRowTokens = 1024;
// Of a model that answers wait for: as many as one of their steps has.
constexpr int kSharedRowTokens = 256;
constexpr uint64_t kConfigLimit = 1 << 20;

using Turn = std::function<void(const std::function<void()>&)>;
using Hidden = std::function<mx::array(const mx::array& ids, const mx::array& segments,
                                       const mx::array& positions)>;

struct Tokens {
  std::vector<int32_t> ids;
  bool truncated = false;
};

/// Cuts a text, but not the special tokens that close it.
Tokens tokenized(const text::Tokenizer& tokenizer, const std::string& text, int max_tokens) {
  text::Encoding encoding = tokenizer.encode(text, /*add_special=*/true);
  std::vector<int32_t>& ids = encoding.ids;
  const auto limit = static_cast<size_t>(max_tokens);
  if (ids.size() <= limit) return {std::move(ids), false};
  size_t closing = 0;
  while (closing + 1 < limit && encoding.offsets[ids.size() - 1 - closing].second == 0) ++closing;
  ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(limit - closing),
            ids.end() - static_cast<std::ptrdiff_t>(closing));
  return {std::move(ids), true};
}

class PooledModel final : public TextEmbedder {
 public:
  PooledModel(std::shared_ptr<const text::Tokenizer> tokenizer, Hidden hidden, int dimensions,
              int max_tokens, Pooling pooling, int row_tokens = kRowTokens, Turn turn = {})
      : tokenizer_(std::move(tokenizer)),
        hidden_(std::move(hidden)),
        dimensions_(dimensions),
        max_tokens_(pooling.max_tokens > 0 ? std::min(pooling.max_tokens, max_tokens) : max_tokens),
        pooling_(pooling),
        row_tokens_(row_tokens),
        turn_(std::move(turn)) {}

  std::vector<TextEmbedding> embed(std::span<const std::string> texts) const override {
    std::vector<TextEmbedding> result(texts.size());
    std::vector<std::vector<int32_t>> ids(texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      Tokens tokens = tokenized(*tokenizer_, texts[i], max_tokens_);
      if (tokens.ids.empty())
        fail(ErrorKind::kUserInput, "text {}: the model has no token for it; it is empty", i + 1);
      result[i].tokens = static_cast<int>(tokens.ids.size());
      result[i].truncated = tokens.truncated;
      ids[i] = std::move(tokens.ids);
    }
    for (const PackedTexts& row : pack_texts(ids, row_tokens_)) {
      const auto pass = [&] { compute(row, result); };
      if (turn_)
        turn_(pass);
      else
        pass();
    }
    return result;
  }

  int dimensions() const override { return dimensions_; }
  int max_tokens() const override { return max_tokens_; }

 private:
  void compute(const PackedTexts& row, std::vector<TextEmbedding>& result) const {
    const auto array_of = [](const std::vector<int32_t>& values) {
      return mx::array(values.begin(), {1, static_cast<int>(values.size())}, mx::int32);
    };
    mx::array hidden = mx::contiguous(mx::astype(
        hidden_(array_of(row.ids), array_of(row.segments), array_of(row.positions)), mx::float32));
    mx::eval(hidden);
    const auto width = static_cast<size_t>(dimensions_);
    const float* values = hidden.data<float>();
    for (size_t i = 0; i < row.texts.size(); ++i) {
      const size_t begin = row.begins[i], end = row.begins[i + 1];
      result[row.texts[i]].values =
          pooled({values + begin * width, (end - begin) * width}, dimensions_, pooling_);
    }
  }

  std::shared_ptr<const text::Tokenizer> tokenizer_;
  Hidden hidden_;
  int dimensions_, max_tokens_;
  Pooling pooling_;
  int row_tokens_;
  Turn turn_;
};

bool is_encoder_folder(const fs::path& path) {
  const fs::path config = path / "config.json";
  std::error_code error;
  return fs::is_regular_file(config, error) &&
         models::is_bert_config(checkpoint::read_text(config, kConfigLimit));
}

std::unique_ptr<TextEmbedder> load_encoder(const fs::path& path, tensor::Compute compute) {
  const std::unique_ptr<checkpoint::ModelFiles> files = checkpoint::open_model_files(path);
  const std::optional<std::string> json = files->tokenizer_json();
  if (!json)
    fail(ErrorKind::kUserInput,
         "{}: the model has no tokenizer.json; transformers writes it with "
         "AutoTokenizer.from_pretrained(...).save_pretrained(...)",
         path.string());
  auto tokenizer = text::Tokenizer::from_json(*json, path.string() + ": tokenizer");
  std::shared_ptr<const models::BertEncoder> encoder = models::load_bert(*files, compute);
  if (tokenizer->vocabulary_size() > encoder->config().vocabulary_size)
    fail(ErrorKind::kUserInput, "{}: the tokenizer has {} tokens but the model only {}",
         path.string(), tokenizer->vocabulary_size(), encoder->config().vocabulary_size);
  const auto hidden = [encoder](const mx::array& ids, const mx::array& segments,
                                const mx::array& positions) {
    return encoder->hidden(ids, segments, positions);
  };
  return std::make_unique<PooledModel>(std::move(tokenizer), hidden, encoder->config().hidden_size,
                                       encoder->max_tokens(), read_pooling(path, {}));
}

std::unique_ptr<TextEmbedder> of_decoder(std::shared_ptr<const LanguageModel> model, int row_tokens,
                                         Turn turn) {
  const auto hidden = [model](const mx::array& ids, const mx::array& segments, const mx::array&) {
    return model->decoder->hidden(ids, {.segments = &segments});
  };
  const models::DecoderConfig& config = model->decoder->config();
  return std::make_unique<PooledModel>(
      model->tokenizer, hidden, config.hidden_size, config.max_positions,
      read_pooling(model->path, {.normalize = true}), row_tokens, std::move(turn));
}

}  // namespace

bool is_text_encoder(const std::string& name) {
  return is_encoder_folder(models::resolve_model(name));
}

std::unique_ptr<TextEmbedder> load_text_embedder(const std::string& name, tensor::Compute compute) {
  const fs::path path = models::resolve_model(name);
  if (is_encoder_folder(path)) return load_encoder(path, compute);
  return of_decoder(std::make_shared<LanguageModel>(load_language_model(name, compute)), kRowTokens,
                    {});
}

std::unique_ptr<TextEmbedder> make_text_embedder(
    const LanguageModel& model, std::function<void(const std::function<void()>&)> turn) {
  const std::shared_ptr<const LanguageModel> borrowed(std::shared_ptr<void>(), &model);
  return of_decoder(borrowed, kSharedRowTokens, std::move(turn));
}

}  // namespace toolkit::engine
