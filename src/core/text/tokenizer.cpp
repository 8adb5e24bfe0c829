#include "core/text/tokenizer.h"

#include "core/base/atomic_file.h"
#include "core/text/bridge.h"

namespace toolkit::text {
namespace {

const TbTokenizer* raw(void* handle) {
  return static_cast<const TbTokenizer*>(handle);
}

}  // namespace

std::shared_ptr<const Tokenizer> Tokenizer::from_json(std::string_view json,
                                                      const std::string& source) {
  TbTokenizer* handle = nullptr;
  BridgeBytes error;
  const int status = tb_tokenizer_new(bytes_of(json), json.size(), &handle, &error.raw);
  check_bridge(status, error, source + ": not a tokenizer this program can use",
               ErrorKind::kUserInput);
  return std::shared_ptr<const Tokenizer>(new Tokenizer(handle));
}

std::shared_ptr<const Tokenizer> Tokenizer::from_file(const std::filesystem::path& path) {
  return from_json(read_file(path), path.string());
}

Tokenizer::~Tokenizer() {
  tb_tokenizer_free(static_cast<TbTokenizer*>(handle_));
}

Encoding Tokenizer::encode(std::string_view text, bool add_special) const {
  TbEncoding found{};
  BridgeBytes error;
  const int status =
      tb_encode(raw(handle_), bytes_of(text), text.size(), add_special, &found, &error.raw);
  check_bridge(status, error, "cannot tokenize", ErrorKind::kUserInput);
  const std::unique_ptr<TbEncoding, void (*)(TbEncoding*)> owner(
      &found, [](TbEncoding* encoding) { tb_encoding_free(*encoding); });
  Encoding result;
  result.ids.assign(found.ids, found.ids + found.count);
  result.offsets.reserve(found.count);
  for (size_t i = 0; i < found.count; ++i) {
    result.offsets.emplace_back(found.offsets[2 * i], found.offsets[2 * i + 1]);
  }
  return result;
}

std::string Tokenizer::decode(const std::vector<int32_t>& ids, bool skip_special) const {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0)
      fail(ErrorKind::kUserInput, "cannot decode: id {} at {} is negative", ids[i], i);
  }
  BridgeBytes decoded, error;
  const int status = tb_decode(raw(handle_), reinterpret_cast<const uint32_t*>(ids.data()),
                               ids.size(), skip_special, &decoded.raw, &error.raw);
  check_bridge(status, error, "cannot decode", ErrorKind::kUserInput);
  return std::string(decoded.view());
}

int Tokenizer::vocabulary_size() const {
  return static_cast<int>(tb_vocabulary_size(raw(handle_)));
}

std::optional<int32_t> Tokenizer::id_of(std::string_view token) const {
  const int64_t id = tb_token_to_id(raw(handle_), bytes_of(token), token.size());
  if (id < 0) return std::nullopt;
  return static_cast<int32_t>(id);
}

std::optional<std::string> Tokenizer::token_of(int32_t id) const {
  BridgeBytes token;
  if (id < 0 || !tb_id_to_token(raw(handle_), static_cast<uint32_t>(id), &token.raw)) {
    return std::nullopt;
  }
  return std::string(token.view());
}

std::string Tokenizer::token_bytes(int32_t id) const {
  BridgeBytes bytes;
  if (id < 0 || !tb_token_bytes(raw(handle_), static_cast<uint32_t>(id), &bytes.raw)) return "";
  return std::string(bytes.view());
}

bool Tokenizer::is_special(int32_t id) const {
  return id >= 0 && tb_token_special(raw(handle_), static_cast<uint32_t>(id)) != 0;
}

}  // namespace toolkit::text
