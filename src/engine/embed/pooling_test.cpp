#include "engine/embed/pooling.h"

#include <doctest/doctest.h>

#include "core/base/testing.h"

namespace toolkit::engine {

namespace {

using testing::contains;

constexpr const char* kModules =
    R"([{"type": "sentence_transformers.models.Transformer", "path": ""},
  {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}])";

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the vector of a text from those of its tokens") {
    const std::vector<float> tokens = {1, -2, 3, 4, 5, -8};
    CHECK(pooled(tokens, 2, {}) == std::vector<float>{3, -2});
    CHECK(pooled(tokens, 2, {.kind = Pooling::Kind::kFirst}) == std::vector<float>{1, -2});
    CHECK(pooled(tokens, 2, {.kind = Pooling::Kind::kLast}) == std::vector<float>{5, -8});
    CHECK(pooled(tokens, 2, {.kind = Pooling::Kind::kMax}) == std::vector<float>{5, 4});
    const auto unit = pooled(std::vector<float>{3, 4}, 2, {.normalize = true});
    CHECK(unit[0] == doctest::Approx(0.6f));
    CHECK(unit[1] == doctest::Approx(0.8f));
    CHECK(pooled(std::vector<float>{0, 0}, 2, {.normalize = true}) == std::vector<float>{0, 0});
  }

  TEST_CASE("what sentence-transformers writes beside a model is read") {
    const testing::TestingFolder folder;
    CHECK(read_pooling(folder.path, {.normalize = true}).normalize);  // nothing there: as given
    folder.write("sentence_bert_config.json", R"({"max_seq_length": 128})");
    folder.write("modules.json", kModules);
    folder.write("1_Pooling/config.json",
                 R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})");
    const Pooling pooling = read_pooling(folder.path, {.normalize = true});
    CHECK(pooling.kind == Pooling::Kind::kFirst);
    CHECK_FALSE(pooling.normalize);
    CHECK(pooling.max_tokens == 128);
  }

  TEST_CASE("modules and kinds of pooling that are not known are named") {
    const testing::TestingFolder folder;
    const auto refusal = [&](ErrorKind kind) {
      return testing::refusal_of([&] { read_pooling(folder.path, {}); }, kind);
    };
    folder.write("modules.json", kModules);
    folder.write("1_Pooling/config.json", R"({"pooling_mode_weightedmean_tokens": true})");
    CHECK(contains(refusal(ErrorKind::kUnsupported), "pooling_mode_weightedmean_tokens"));
    folder.write("1_Pooling/config.json",
                 R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true})");
    CHECK(contains(refusal(ErrorKind::kUnsupported), "found 2"));
    folder.write("modules.json", R"([{"type": "a.Dense", "path": "2_Dense"}])");
    CHECK(contains(refusal(ErrorKind::kUnsupported), "Dense"));
    folder.write("modules.json", R"([{"type": "a.Pooling", "path": "../elsewhere"}])");
    CHECK(contains(refusal(ErrorKind::kUserInput), "leads out"));
    folder.write("modules.json", R"([{"type": 3}])");
    CHECK(contains(refusal(ErrorKind::kUserInput), "\"type\""));
    folder.write("modules.json", "{");
    refusal(ErrorKind::kUserInput);
  }
}

}  // namespace toolkit::engine
