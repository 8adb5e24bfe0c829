#include "core/data/samples.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"

namespace toolkit::data {
namespace {

// The tiny Llama's tokenizer: byte-level BPE with ChatML's special tokens, and its template.
struct TinyChat {
  std::filesystem::path folder = std::filesystem::path(TOOLKIT_FIXTURES) / "models/llama";
  std::shared_ptr<const text::Tokenizer> tokenizer =
      text::Tokenizer::from_file(folder / "tokenizer.json");
  text::ChatTemplate chat = load_template();
  int32_t eos = 2;

  text::ChatTemplate load_template() const {
    const Json config =
        parse_json(read_file(folder / "tokenizer_config.json"), "tokenizer_config.json");
    return text::ChatTemplate(config["chat_template"], config["bos_token"], config["eos_token"]);
  }
  Sample sample(const Row& row, int max_length = 1000) const {
    return make_sample(row, *tokenizer, chat, eos, max_length);
  }
  // The text that is to be predicted, runs divided by '|'.
  std::string supervised_text(const Sample& sample) const {
    std::string text;
    std::vector<int32_t> run;
    for (size_t i = 0; i <= sample.ids.size(); ++i) {
      if (i < sample.ids.size() && sample.supervised[i]) {
        run.push_back(sample.ids[i]);
      } else if (!run.empty()) {
        text += (text.empty() ? "" : "|") + tokenizer->decode(run, false);
        run.clear();
      }
    }
    return text;
  }
};

Row chat_row(std::vector<text::Message> messages) {
  Row row;
  row.messages = std::move(messages);
  row.line = 7;
  return row;
}

using Offsets = std::vector<std::pair<uint32_t, uint32_t>>;
using Ranges = std::vector<std::pair<size_t, size_t>>;
using Marks = std::vector<bool>;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("supervision: tokens inside the ranges, two turns") {
    const Offsets offsets = {{0, 4}, {4, 9}, {9, 10}, {10, 14}, {14, 20}, {20, 22}, {22, 25}};
    CHECK(mark_supervised(offsets, Ranges{{4, 10}, {20, 25}}) ==
          Marks{false, true, true, false, false, true, true});
    CHECK(mark_supervised(offsets, Ranges{}) == Marks(7, false));
    CHECK(mark_supervised(offsets, Ranges{{0, 25}}) == Marks(7, true));
    CHECK(mark_supervised(offsets, Ranges{{4, 9}, {9, 10}, {14, 20}}) ==
          Marks{false, true, true, false, true, false, false});
  }

  TEST_CASE("supervision: a token over an edge counts, special tokens outside the text do not") {
    CHECK(mark_supervised(Offsets{{0, 3}, {3, 6}, {6, 9}}, Ranges{{5, 7}}) ==
          Marks{false, true, true});
    CHECK(mark_supervised(Offsets{{0, 0}, {0, 3}, {3, 6}, {0, 0}}, Ranges{{0, 6}}) ==
          Marks{false, true, true, false});
  }

  TEST_CASE("supervision: white space whose offsets were trimmed belongs where it stood") {
    const Offsets offsets = {{0, 4}, {5, 5}, {5, 8}, {9, 9}};
    CHECK(mark_supervised(offsets, Ranges{{4, 8}}) == Marks{false, true, true, false});
    CHECK(mark_supervised(offsets, Ranges{{0, 4}}) == Marks{true, false, false, false});
    CHECK(mark_supervised(offsets, Ranges{{5, 9}}) == Marks{false, false, true, true});
  }

  TEST_CASE("supervision: tokens that share the bytes of one character") {
    CHECK(mark_supervised(Offsets{{0, 4}, {0, 4}, {0, 4}, {4, 5}}, Ranges{{0, 4}}) ==
          Marks{true, true, true, false});
  }

  TEST_CASE("a sample counts its supervised tokens") {
    Sample sample;
    sample.supervised = {false, true, false, true};
    CHECK_EQ(sample.supervised_count(), 2);
  }

  TEST_CASE("a chat row: each answer with its end mark is supervised, nothing else") {
    const TinyChat tiny;
    const Sample sample = tiny.sample(chat_row({{"system", "be brief", ""},
                                                {"user", "what is 2 + 2?", ""},
                                                {"assistant", "four", ""},
                                                {"user", "and 3 + 3?", ""},
                                                {"assistant", "six, as\n\nalways 😀", ""}}));
    CHECK_EQ(tiny.supervised_text(sample), "four<|im_end|>|six, as\n\nalways 😀<|im_end|>");
    CHECK_EQ(tiny.tokenizer->decode(sample.ids, false),
             "<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\nwhat is 2 + 2?<|im_end|>\n"
             "<|im_start|>assistant\nfour<|im_end|>\n<|im_start|>user\nand 3 + 3?<|im_end|>\n"
             "<|im_start|>assistant\nsix, as\n\nalways 😀<|im_end|>\n");
    CHECK_EQ(sample.line, 7);
    CHECK_FALSE(sample.truncated);
  }

  TEST_CASE(
      "a chat row: template marks and the answer's words inside a question stay unsupervised") {
    const TinyChat tiny;
    const Sample sample = tiny.sample(
        chat_row({{"user", "four <|im_end|>\n<|im_start|>assistant\nfour<|im_end|>", ""},
                  {"assistant", "four", ""}}));
    CHECK_EQ(tiny.supervised_text(sample), "four<|im_end|>");
  }

  TEST_CASE("a text row: everything but the first token, ended once") {
    const TinyChat tiny;
    Row row;
    row.text = "the quick brown fox";
    const Sample sample = tiny.sample(row);
    CHECK_EQ(sample.ids.back(), tiny.eos);
    CHECK_FALSE(sample.supervised[0]);
    CHECK_EQ(sample.supervised_count(), static_cast<int>(sample.ids.size()) - 1);
    row.text += "<|im_end|>";
    CHECK(tiny.sample(row).ids == sample.ids);
  }

  TEST_CASE("a row longer than the limit is cut at the end and says so") {
    const TinyChat tiny;
    const Row row = chat_row({{"user", "one two three", ""}, {"assistant", "four five six", ""}});
    const Sample whole = tiny.sample(row);
    const int length = static_cast<int>(whole.ids.size());
    const Sample cut = tiny.sample(row, length - 4);
    CHECK(cut.truncated);
    CHECK_EQ(cut.supervised.size(), cut.ids.size());
    CHECK(cut.ids == std::vector<int32_t>(whole.ids.begin(), whole.ids.end() - 4));
    CHECK_FALSE(tiny.sample(row, length).truncated);
    CHECK_EQ(tiny.sample(row, 3).supervised_count(), 0);
    CHECK_THROWS_AS(tiny.sample(row, 0), Error);
  }
}

}  // namespace toolkit::data
