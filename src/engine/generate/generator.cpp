#include "engine/generate/generator.h"

#include <algorithm>
#include <chrono>

#include "core/base/error.h"
#include "engine/generate/stop_text.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::engine {

namespace {

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

void check_prompt(std::span<const int32_t> prompt, const models::DecoderConfig& config) {
  if (prompt.empty())
    fail(ErrorKind::kUserInput, "the prompt is empty: there is nothing to continue");
  for (const int32_t id : prompt)
    if (id < 0 || id >= config.vocabulary_size)
      fail(ErrorKind::kUserInput, "token {} of the prompt is not in the model's vocabulary of {}",
           id, config.vocabulary_size);
  if (prompt.size() >= static_cast<size_t>(config.max_positions))
    fail(ErrorKind::kUserInput,
         "the prompt has {} tokens; the model's context holds {} and the answer needs room too: "
         "shorten it",
         prompt.size(), config.max_positions);
}

/// From token ids to text that is shown: decoding, stop strings, the caller's callback.
class TextSink {
 public:
  TextSink(const LanguageModel& model, const GenerateOptions& options)
      : decoder_(model.tokenizer), stops_(options.stop_texts), on_text_(options.on_text) {}

  bool push(int32_t id) {  // false: a stop string has come
    show(stops_.push(decoder_.push(id)));
    return !stops_.found();
  }
  std::string finish() {
    show(stops_.push(decoder_.finish()));
    show(stops_.finish());
    return std::move(text_);
  }
  bool stopped() const { return stops_.found(); }

 private:
  void show(const std::string& piece) {
    if (piece.empty()) return;
    text_ += piece;
    if (on_text_) on_text_(piece);
  }

  text::StreamDecoder decoder_;
  StopText stops_;
  const std::function<void(std::string_view)>& on_text_;
  std::string text_;
};

}  // namespace

const char* stop_reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::kStopToken:
      return "stop_token";
    case StopReason::kStopText:
      return "stop_text";
    case StopReason::kMaxTokens:
      return "max_tokens";
    case StopReason::kContextFull:
      return "context_full";
    case StopReason::kInterrupted:
      return "interrupted";
  }
  return "";
}

double GenerateResult::prompt_tokens_per_second() const {
  return prompt_seconds > 0.0 ? (prompt_tokens - reused_tokens) / prompt_seconds : 0.0;
}

double GenerateResult::generation_tokens_per_second() const {
  if (ids.size() < 2 || generation_seconds <= 0.0) return 0.0;
  return static_cast<double>(ids.size() - 1) / generation_seconds;
}

Generator::Generator(const LanguageModel& model)
    : model_(model),
      cache_(model.decoder->config()),
      logits_(static_cast<size_t>(model.decoder->config().vocabulary_size)) {}

void Generator::forget() {
  cache_.truncate(0);
  cached_.clear();
}

int Generator::reuse_prefix(std::span<const int32_t> prompt) {
  size_t same = 0;
  // The last token is always computed: its logits are what is wanted.
  while (same < cached_.size() && same + 1 < prompt.size() && cached_[same] == prompt[same]) ++same;
  cached_.resize(same);
  cache_.truncate(static_cast<int>(same));
  return static_cast<int>(same);
}

void Generator::step(std::span<const int32_t> ids, bool need_logits) {
  const models::Decoder& decoder = *model_.decoder;
  const int count = static_cast<int>(ids.size());
  if (count == 1 && need_logits && decoder.decode_token(ids[0], cache_, logits_)) {
    cached_.push_back(ids[0]);
    return;
  }
  const mx::array tokens(ids.data(), {1, count}, mx::int32);
  mx::array hidden = decoder.hidden(tokens, {.cache = &cache_});
  if (need_logits) {
    const int width = hidden.shape(2);
    if (count > 1) hidden = mx::slice(hidden, {0, count - 1, 0}, {1, count, width});
    mx::array logits = decoder.logits(hidden);
    logits.eval();
    std::copy_n(logits.data<float>(), logits_.size(), logits_.begin());
  } else {
    hidden.eval();
  }
  cached_.insert(cached_.end(), ids.begin(), ids.end());
}

bool Generator::prefill(std::span<const int32_t> ids, const GenerateOptions& options) {
  cache_.reserve(cache_.length() + static_cast<int>(ids.size()));
  // Pieces of equal size: a short last one would read all weights for a few tokens.
  const size_t limit = static_cast<size_t>(std::max(1, options.prefill_tokens));
  const size_t pieces = (ids.size() + limit - 1) / limit;
  const size_t chunk = (ids.size() + pieces - 1) / std::max<size_t>(pieces, 1);
  while (!ids.empty()) {
    if (options.interrupted && options.interrupted()) return false;
    const size_t count = std::min(chunk, ids.size());
    step(ids.first(count), count == ids.size());
    ids = ids.subspan(count);
  }
  return true;
}

std::vector<float> Generator::next_token_logits(std::span<const int32_t> ids) {
  check_prompt(ids, model_.decoder->config());
  forget();
  prefill(ids, {});
  return logits_;
}

GenerateResult Generator::generate(std::span<const int32_t> prompt,
                                   const GenerateOptions& options) {
  const models::DecoderConfig& config = model_.decoder->config();
  check_prompt(prompt, config);
  GenerateResult result{.prompt_tokens = static_cast<int>(prompt.size())};
  const Stopwatch total;
  result.reused_tokens = reuse_prefix(prompt);
  const bool ready = prefill(prompt.subspan(static_cast<size_t>(result.reused_tokens)), options);
  result.prompt_seconds = total.seconds();
  if (!ready) {
    result.reason = StopReason::kInterrupted;
    return result;
  }

  Sampler sampler(options.sampling);
  TextSink sink(model_, options);
  std::vector<int32_t> history(prompt.begin(), prompt.end());
  while (true) {
    if (static_cast<int>(result.ids.size()) >= options.max_tokens) break;
    if (history.size() >= static_cast<size_t>(config.max_positions)) {
      result.reason = StopReason::kContextFull;
      break;
    }
    if (options.interrupted && options.interrupted()) {
      result.reason = StopReason::kInterrupted;
      break;
    }
    if (!result.ids.empty()) step({&result.ids.back(), 1}, true);
    const int32_t id = sampler.pick(logits_, history);
    if (result.first_token_seconds == 0.0) result.first_token_seconds = total.seconds();
    if (!options.ignore_stop_ids &&
        std::find(model_.stop_ids.begin(), model_.stop_ids.end(), id) != model_.stop_ids.end()) {
      result.reason = StopReason::kStopToken;
      break;
    }
    result.ids.push_back(id);
    history.push_back(id);
    if (!sink.push(id)) {
      result.reason = StopReason::kStopText;
      break;
    }
  }
  result.generation_seconds = total.seconds() - result.first_token_seconds;
  result.text = sink.finish();
  if (sink.stopped()) result.reason = StopReason::kStopText;
  return result;
}

}  // namespace toolkit::engine
