#include "core/text/pre_tokenizers.h"

#include <algorithm>
#include <map>

#include "core/base/error.h"

namespace toolkit::text {
namespace {

constexpr const char* kSpaces = R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

std::string llama3(const char* digits) {
  return std::string(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)") + digits +
         R"(| ?[^\s\p{L}\p{N}]+[\r\n]*)" + kSpaces;
}

// Qwen 3.5 counts combining marks as part of a word.
std::string qwen35() {
  return std::string(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
                     R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)") +
         kSpaces;
}

// Words split where lower case turns into upper case.
std::string cased(const char* after_word, const char* digits) {
  const std::string upper = R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])";
  const std::string lower = R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])";
  const std::string lead = R"([^\r\n\p{L}\p{N}]?)";
  return lead + upper + "*" + lower + "+" + after_word + "|" + lead + upper + "+" + lower + "*" +
         after_word + "|" + digits + R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*)" + kSpaces;
}

using Table = std::map<std::string, PreTokenizer>;

Table make_table() {
  const PreTokenizer gpt2{};
  const PreTokenizer digits{.single_digits = true};
  const PreTokenizer llama{.split = llama3(R"(\p{N}{1,3})"), .ignore_merges = true};
  const PreTokenizer llama_merging{.split = llama3(R"(\p{N}{1,3})")};
  const PreTokenizer qwen2{.split = llama3(R"(\p{N})"), .nfc = true};
  const PreTokenizer qwen_distilled{.split = llama3(R"(\p{N})")};
  const PreTokenizer tekken{.split = cased("", R"(\p{N})"), .ignore_merges = true};
  const PreTokenizer gpt4o{.split = cased("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", R"(\p{N}{1,3})")};
  Table table;
  for (const char* name : {"", "default", "gpt-2", "phi-2"}) table[name] = gpt2;
  for (const char* name : {"smollm", "starcoder", "refact"}) table[name] = digits;
  for (const char* name :
       {"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"}) {
    table[name] = llama;
  }
  for (const char* name : {"dbrx", "smaug-bpe"}) table[name] = llama_merging;
  table["qwen2"] = qwen2;
  table["deepseek-r1-qwen"] = qwen_distilled;
  table["qwen35"] = PreTokenizer{.split = qwen35(), .nfc = true};
  table["tekken"] = tekken;
  for (const char* name : {"gpt-4o", "llama4"}) table[name] = gpt4o;
  return table;
}

const Table& known_table() {
  static const Table table = make_table();
  return table;
}

}  // namespace

std::string pre_tokenizer_name(const PreTokenizer& pre_tokenizer) {
  // Of several names for one way of cutting, the one llama.cpp has known for longest.
  for (const char* name : {"gpt-2", "smollm", "llama-bpe", "dbrx", "qwen2", "deepseek-r1-qwen",
                           "qwen35", "tekken", "gpt-4o"})
    if (known_table().at(name) == pre_tokenizer) return name;
  return "";
}

const PreTokenizer& find_pre_tokenizer(const std::string& name) {
  const Table& table = known_table();
  const auto found = table.find(name);
  if (found != table.end()) return found->second;
  std::string known;
  for (const auto& [other, ignored] : table) {
    if (!other.empty()) known += (known.empty() ? "" : ", ") + other;
  }
  fail(ErrorKind::kUnsupported,
       "GGUF: unknown pre-tokenizer '{}' (tokenizer.ggml.pre); known: {}. Put the model's "
       "tokenizer.json beside the file or use its Hugging Face folder.",
       name.substr(0, 60), known);
}

}  // namespace toolkit::text
