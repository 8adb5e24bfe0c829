#include <doctest/doctest.h>

#include "core/base/testing.h"
#include "core/model_store/hub/endpoint.h"

using namespace toolkit;
using namespace toolkit::model_store::hub;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;

namespace {

const std::string kGit(40, 'a');
const std::string kSha256(64, 'b');
const std::string kXet(64, 'c');

std::string refused_page(const std::string& entry) {
  return refusal_of([&] { parse_tree_page("[" + entry + "]", "hub"); });
}

std::string small(const std::string& path) {
  return R"({"type":"file","path":")" + path + R"(","size":3,"oid":")" + kGit + R"("})";
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("hub json: a revision gives the commit and the name as the hub spells it") {
    const auto repository = parse_revision(R"({"id":"Org/Model","modelId":"x/y","sha":")" + kGit +
                                               R"(","siblings":[],"private":false})",
                                           "hub");
    CHECK(repository.repository == "Org/Model");
    CHECK(repository.commit == kGit);
    CHECK(parse_revision(R"({"modelId":"x/y","sha":")" + kGit + R"("})", "hub").repository ==
          "x/y");
  }

  TEST_CASE("hub json: a revision without a real commit is refused") {
    for (const char* sha : {R"("main")", R"("../../../etc")", "3", "null", R"("")"})
      CHECK(contains(refusal_of([&] {
                       parse_revision(std::string(R"({"id":"o/m","sha":)") + sha + "}", "hub");
                     }),
                     "hub: expected a"));
    CHECK(contains(refusal_of([] { parse_revision(R"({"id":"o/m"})", "hub"); }),
                   "expected a text 'sha', found none"));
    CHECK(contains(refusal_of([] { parse_revision("[]", "hub"); }), "expected an object"));
    CHECK(contains(refusal_of([] { parse_revision("<html>", "hub"); }), "hub:1:1"));
    CHECK(contains(
        refusal_of([] { parse_revision(R"({"id":"o/m","sha":")" + kSha256 + "\"}", "hub"); }),
        "40 hexadecimal digits"));
  }

  TEST_CASE("hub json: small files are named by git's sha1, LFS files by sha256") {
    const auto files = parse_tree_page(
        R"([{"type":"directory","path":"onnx","oid":"x"},)" + small("onnx/config.json") +
            R"(,{"type":"file","path":"model.safetensors","size":12345678901,"oid":")" + kGit +
            R"(","lfs":{"oid":")" + kSha256 +
            R"(","size":12345678901,"pointerSize":136},"xetHash":")" + kXet + R"("}])",
        "hub");
    REQUIRE(files.size() == 2);
    CHECK(files[0].path == "onnx/config.json");
    CHECK(files[0].digest == hash::Digest{hash::Algorithm::kGitBlob, kGit});
    CHECK(files[0].xet_hash.empty());
    CHECK(files[1].size_bytes == 12345678901u);
    CHECK(files[1].digest == hash::Digest{hash::Algorithm::kSha256, kSha256});
    CHECK(files[1].xet_hash == kXet);
  }

  TEST_CASE("hub json: sizes and digests that are none are refused with the file's name") {
    const auto with = [](const std::string& rest) {
      return R"({"type":"file","path":"a.bin",)" + rest + "}";
    };
    const std::string oid = R"("oid":")" + kGit + "\"";
    CHECK(contains(refused_page(with(R"("size":-1,)" + oid)), "'a.bin': expected a size"));
    CHECK(contains(refused_page(with(R"("size":1.5,)" + oid)), "expected a size"));
    CHECK(contains(refused_page(with(R"("size":"9",)" + oid)), "expected a size"));
    CHECK(contains(refused_page(with(R"("size":18446744073709551615,)" + oid)), "expected a size"));
    CHECK(contains(refused_page(with(oid)), "found none"));
    CHECK(contains(refused_page(with(R"("size":1,"oid":"../../x")")), "40 hexadecimal digits"));
    CHECK(
        contains(refused_page(with(R"("size":1,"lfs":{"oid":")" + kGit + R"(","size":1},)" + oid)),
                 "64 hexadecimal digits"));
    CHECK(contains(
        refused_page(with(R"("size":1,"lfs":{"oid":")" + kSha256 + R"(","size":2},)" + oid)),
        "two sizes"));
    CHECK(contains(refused_page(with(R"("size":1,"lfs":[],)" + oid)), "an object 'lfs'"));
    CHECK(contains(refused_page("7"), "an object for each file"));
    CHECK(contains(refused_page(small("a") + "," + small("a")), "listed twice"));
    CHECK(contains(refusal_of([] { parse_tree_page(R"({"error":"x"})", "hub"); }),
                   "expected a list of files"));
  }

  TEST_CASE("hub json: control characters in a name reach no message as they are") {
    const std::string message =
        refused_page(R"({"type":"file","path":"a\u001b[2Jb","size":-1,"oid":"x"})");
    CHECK(message.find('\x1b') == std::string::npos);
    CHECK(contains(message, "[2Jb"));
  }

  TEST_CASE("hub json: the next page is the link whose rel is next") {
    CHECK(next_page(R"(<https://hub/x?cursor=a,b;c&limit=50>; rel="next")") ==
          "https://hub/x?cursor=a,b;c&limit=50");
    CHECK(next_page(R"(<https://hub/1>; rel="prev", <https://hub/3>; title="t"; rel=next)") ==
          "https://hub/3");
    CHECK(next_page(R"(<https://hub/1>; rel="prev")") == std::nullopt);
    CHECK(next_page(R"(<https://hub/1>; REL="NEXT")") == "https://hub/1");
    CHECK(next_page("") == std::nullopt);
    CHECK(next_page("<unclosed; rel=next") == std::nullopt);
  }
}
