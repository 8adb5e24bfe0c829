#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <limits>

#include "core/base/error.h"
#include "core/checkpoint/safetensors.h"
#include "core/data/chat_rows.h"
#include "core/data/samples.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"
#include "models/resolve.h"
#include "projects/data/model_text.h"
#include "projects/data/survey.h"

namespace toolkit::data_check {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModel = "sample://smollm2-135m";
const fs::path kDictionary = fs::path(TOOLKIT_SOURCE_DIR) / "examples/data/dictionary";

bool installed() {
  for (const models::SampleModel& sample : models::sample_models()) {
    if (sample.name == kModel && !sample.path.empty()) return true;
  }
  std::printf("SKIPPED: %s is not installed (make setup)\n", kModel);
  return false;
}

data::Sample whole_sample(const data::Row& row, const ModelText& model) {
  return data::make_sample(row, *model.tokenizer, model.chat, model.eos_id,
                           std::numeric_limits<int>::max());
}

}  // namespace

TEST_SUITE("reference") {
  TEST_CASE("SmolLM2: ids and supervision of dictionary rows equal transformers'") {
    if (!installed()) return;
    const ModelText model = load_model_text(kModel);
    const auto expected =
        checkpoint::load_safetensors(fs::path(TOOLKIT_FIXTURES) / "smollm2/expected.safetensors");
    mx::array ids = expected.at("rows.ids"), mask = expected.at("rows.mask");
    mx::array supervised = expected.at("rows.supervised");
    mx::eval(ids, mask, supervised);
    const data::ReadResult rows = data::read_rows(kDictionary / "train.jsonl");
    REQUIRE_EQ(rows.rows.size(), 2000);
    for (int row = 0; row < ids.shape(0); ++row) {
      const data::Sample sample = whole_sample(rows.rows[row], model);
      std::vector<int32_t> wanted_ids;
      std::vector<bool> wanted_marks;
      for (int t = 0; t < ids.shape(1); ++t) {
        const int at = row * ids.shape(1) + t;
        if (mask.data<int32_t>()[at] == 0) continue;
        wanted_ids.push_back(ids.data<int32_t>()[at]);
        wanted_marks.push_back(supervised.data<int32_t>()[at] != 0);
      }
      CHECK(sample.ids == wanted_ids);
      CHECK(sample.supervised == wanted_marks);
    }
  }

  TEST_CASE(
      "the dictionary is what its README says: every row usable, no word twice, counted tokens") {
    if (!installed()) return;
    const ModelText model = load_model_text(kModel);
    const Survey survey = make_survey(
        kDictionary.string(), {}, 512,
        [&](const data::Row& row) { return whole_sample(row, model); }, true);
    REQUIRE_EQ(survey.splits.size(), 3);
    CHECK_EQ(survey.unusable(), 0);
    CHECK(survey.duplicates.empty());
    const std::vector<int> rows = {2000, 200, 200};
    const std::vector<int> tokens = {126935, 12692, 12639};
    for (size_t i = 0; i < rows.size(); ++i) {
      CHECK_EQ(survey.splits[i].rows, rows[i]);
      int total = 0;
      for (int length : survey.splits[i].lengths) total += length;
      CHECK_EQ(total, tokens[i]);
    }
  }
}

}  // namespace toolkit::data_check
