#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace toolkit::text {

struct Encoding {
  std::vector<int32_t> ids;
  /// Byte range [begin, end) of each token in the UTF-8 input; {0, 0} for added special tokens.
  std::vector<std::pair<uint32_t, uint32_t>> offsets;
};

/// A Hugging Face tokenizer (tokenizer.json), through the Rust crate `tokenizers`. Safe to use from
/// several threads.
class Tokenizer {
 public:
  /// From the text of a tokenizer.json. Throws Error(kUserInput) with the crate's message.
  static std::shared_ptr<const Tokenizer> from_json(std::string_view json,
                                                    const std::string& source);
  static std::shared_ptr<const Tokenizer> from_file(const std::filesystem::path& path);

  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  /// `add_special` adds BOS/EOS as the tokenizer's post-processor says; special tokens that stand
  /// in the text ("<|im_start|>") are recognised either way.
  Encoding encode(std::string_view text, bool add_special) const;
  std::string decode(const std::vector<int32_t>& ids, bool skip_special) const;

  int vocabulary_size() const;  // with added tokens
  std::optional<int32_t> id_of(std::string_view token) const;
  std::optional<std::string> token_of(int32_t id) const;
  /// The bytes a token adds to a text, maybe a part of a UTF-8 character; a special token's are its
  /// name ("<|im_end|>"). Empty for an id that is not there.
  std::string token_bytes(int32_t id) const;
  /// What decode() leaves out when it skips special tokens.
  bool is_special(int32_t id) const;

  void* handle() const { return handle_; }  // TbTokenizer, for the rest of the bridge

 private:
  explicit Tokenizer(void* handle) : handle_(handle) {}
  void* handle_;
};

/// Turns a growing list of ids into text that is safe to print: holds back bytes of an unfinished
/// UTF-8 character and whitespace a later token may join.
class StreamDecoder {
 public:
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer);
  std::string push(int32_t id);  // the new text, maybe empty
  std::string finish();          // what was held back

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<int32_t> ids_;
  size_t prefix_begin_ = 0, read_begin_ = 0;
};

}  // namespace toolkit::text
