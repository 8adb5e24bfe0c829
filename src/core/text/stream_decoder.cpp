#include <utility>

#include "core/text/tokenizer.h"

namespace toolkit::text {
namespace {

constexpr std::string_view kReplacement =
    "\xEF\xBF\xBD";  // what an unfinished character decodes to

// A character has at most four bytes and a token at least one: what is unfinished longer is
// garbage.
constexpr size_t kMaxHeldTokens = 4;

}  // namespace

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer)
    : tokenizer_(std::move(tokenizer)) {}

// A token's text depends on the one before it (SentencePiece drops a leading space), so the ids
// since prefix_begin_ are decoded twice, with and without the new ones, and the difference counts.
std::string StreamDecoder::push(int32_t id) {
  ids_.push_back(id);
  const auto decode = [&](size_t end) {
    return tokenizer_->decode({ids_.begin() + prefix_begin_, ids_.begin() + end}, true);
  };
  const std::string before = decode(read_begin_);
  const std::string after = decode(ids_.size());
  const bool unfinished =
      after.ends_with(kReplacement) && ids_.size() - read_begin_ < kMaxHeldTokens;
  if (unfinished || after.size() <= before.size() || !after.starts_with(before)) {
    // Tokens without text (special ones) must not pile up.
    if (after == before) {
      ids_.pop_back();
    }
    return "";
  }
  prefix_begin_ = read_begin_;
  read_begin_ = ids_.size();
  if (prefix_begin_ > 256) {
    ids_.erase(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(prefix_begin_));
    read_begin_ -= prefix_begin_;
    prefix_begin_ = 0;
  }
  return after.substr(before.size());
}

std::string StreamDecoder::finish() {
  const std::string before =
      tokenizer_->decode({ids_.begin() + prefix_begin_, ids_.begin() + read_begin_}, true);
  const std::string after = tokenizer_->decode({ids_.begin() + prefix_begin_, ids_.end()}, true);
  prefix_begin_ = read_begin_ = ids_.size();
  return after.starts_with(before) ? after.substr(before.size()) : "";
}

}  // namespace toolkit::text
