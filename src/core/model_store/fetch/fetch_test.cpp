#include "core/model_store/fetch/fetch.h"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <map>

#include "core/base/atomic_file.h"
#include "core/http/testing/loopback_server.h"
#include "core/model_store/fetch/publish_folder.h"
#include "core/model_store/registry/testing_store.h"

namespace fs = std::filesystem;
namespace hash = toolkit::hash;
namespace http = toolkit::http;
using http::testing::Answer;
using http::testing::LoopbackServer;
using http::testing::Received;
using toolkit::ErrorKind;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;
using namespace toolkit::model_store;

namespace {

using Contents = std::map<std::string, std::string>;

hash::Digest digest_of(const std::string& content, hash::Algorithm algorithm) {
  return hash::hash_bytes(algorithm,
                          {reinterpret_cast<const uint8_t*>(content.data()), content.size()});
}

/// A server of one model's files and a store that fetches them.
struct Origin {
  Contents contents;
  bool broken = false;
  LoopbackServer server{[this](const Received& request) {
    if (broken) return Answer{.status = 404};
    return http::testing::ranged_answer(request, contents.at(request.target.substr(1)), "e");
  }};
  TestingStore store;
  http::Client client{{.retry = {.attempts = 1}}};

  Offer offer(const std::string& uri = "hf://org/model") const {
    Offer made{.name = parse_model_name(uri),
               .revision = std::string(40, 'a'),
               .endpoint = "https://huggingface.co"};
    for (const auto& [name, content] : contents) {
      const bool small = content.size() < 100;
      made.files.push_back({.name = name,
                            .size_bytes = content.size(),
                            .digest = digest_of(content, small ? hash::Algorithm::kGitBlob
                                                               : hash::Algorithm::kSha256),
                            .request = {.url = http::parse_url(server.origin() + "/" + name)}});
    }
    return made;
  }
  FetchPlan plan(const Offer& wanted, const FindOnMachine& find = {}) {
    return plan_fetch(store.layout, store.registry, wanted, find);
  }
  ModelRecord fetch(const FetchPlan& planned) {
    return fetch_model(client, store.layout, store.registry, planned, {}, {});
  }
  fs::path file(const std::string& name, const std::string& uri = "hf://org/model") const {
    return store.layout.model_folder(parse_model_name(uri)) / name;
  }
  long incoming() const {
    return std::distance(fs::directory_iterator(store.layout.incoming()), {});
  }
};

const Contents kModel = {{"config.json", "{}"},
                         {"model.safetensors", std::string(5000, 'w')},
                         {"onnx/model.onnx", std::string(3000, 'o')},
                         {"onnx/twin.onnx", std::string(3000, 'o')}};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("fetch: downloads, verifies, publishes, writes the row") {
    Origin source{kModel};
    const FetchPlan plan = source.plan(source.offer());
    CHECK(plan.download.size() == 4);
    CHECK(plan.download_bytes == 8002);  // the twins come once
    CHECK(plan.disk_bytes == 8002);
    CHECK_FALSE(plan.complete);
    const ModelRecord row = source.fetch(plan);
    CHECK(row.state == "ready");
    CHECK(row.size_bytes == 11002);
    CHECK_FALSE(row.is_symlink);
    for (const auto& [name, content] : kModel) {
      CHECK(toolkit::read_file(source.file(name)) == content);
      CHECK((fs::status(source.file(name)).permissions() & fs::perms::all) ==
            (fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read));
    }
    CHECK(source.server.received().size() == 3);
    const Metadata metadata = *read_metadata(row.local_path);
    CHECK(metadata.files.size() == 4);
    CHECK(metadata.files[0].digest.algorithm == hash::Algorithm::kGitBlob);
    CHECK(metadata.files[0].sha256 == sha256_of("{}"));
    CHECK(source.incoming() == 0);

    const FetchPlan again = source.plan(source.offer());
    CHECK(again.complete);
    CHECK(again.download_bytes == 0);
    CHECK(source.fetch(again).id == row.id);
    CHECK(source.server.received().size() == 3);
  }

  TEST_CASE("fetch: a plan made before another process finished downloads nothing") {
    Origin source{kModel};
    const FetchPlan early = source.plan(source.offer());
    source.fetch(source.plan(source.offer()));
    source.broken = true;
    CHECK(source.fetch(early).state == "ready");
  }

  TEST_CASE("fetch: content of another model of the store is linked, not downloaded") {
    Origin source{kModel};
    const FetchPlan early = source.plan(source.offer("hf://org/other"));
    source.fetch(source.plan(source.offer()));
    const size_t asked = source.server.received().size();
    source.fetch(early);
    CHECK(source.server.received().size() == asked + 1);  // the small file: no sha256 is known
    CHECK(fs::equivalent(source.file("model.safetensors"),
                         source.file("model.safetensors", "hf://org/other")));
  }

  TEST_CASE(
      "fetch: a verified copy elsewhere on the machine is linked - a lost one is downloaded") {
    Origin source{kModel};
    const fs::path copy = source.store.folder.write("hub/blob", kModel.at("model.safetensors"));
    const auto find = [&](const OfferedFile& file) -> std::optional<FoundCopy> {
      if (file.name != "model.safetensors") return std::nullopt;
      return FoundCopy{copy, {toolkit::files::LinkKind::kHardLink}};
    };
    const FetchPlan plan = source.plan(source.offer(), find);
    CHECK(plan.shared == std::vector<size_t>{1});
    CHECK(plan.download_bytes == 3002);
    source.fetch(plan);
    CHECK(fs::equivalent(copy, source.file("model.safetensors")));

    Origin other{kModel};
    const FetchPlan lost = other.plan(other.offer(), find);
    fs::remove(copy);
    other.fetch(lost);
    CHECK(toolkit::read_file(other.file("model.safetensors")) == kModel.at("model.safetensors"));
  }

  TEST_CASE("fetch: local files are taken in, and stay where they are") {
    Origin source;
    const fs::path local = source.store.folder.write("mine/model.gguf", std::string(4000, 'g'));
    Offer offer{.name = local_model_name(local.parent_path().string())};
    offer.files.push_back({.name = "model.gguf",
                           .size_bytes = 4000,
                           .digest = digest_of(std::string(4000, 'g'), hash::Algorithm::kSha256),
                           .local_path = local});
    const ModelRecord row = source.fetch(source.plan(offer));
    CHECK(toolkit::read_file(row.local_path / "model.gguf") == std::string(4000, 'g'));
    CHECK(toolkit::read_file(local) == std::string(4000, 'g'));
  }

  TEST_CASE("fetch: a new revision replaces the old one and links what stayed the same") {
    Origin source{kModel};
    source.fetch(source.plan(source.offer()));
    const fs::path kept = source.store.folder.path / "kept";
    fs::create_hard_link(source.file("model.safetensors"), kept);
    source.contents["config.json"] = "{\"new\":1}";
    source.contents.erase("onnx/twin.onnx");
    Offer newer = source.offer();
    newer.revision = std::string(40, 'b');
    const FetchPlan plan = source.plan(newer);
    CHECK(plan.present.size() == 2);
    CHECK(plan.download_bytes == 9);
    CHECK(source.fetch(plan).revision == newer.revision);
    CHECK(toolkit::read_file(source.file("config.json")) == "{\"new\":1}");
    CHECK(fs::equivalent(kept, source.file("model.safetensors")));
    CHECK_FALSE(fs::exists(source.file("onnx/twin.onnx")));
  }

  TEST_CASE("fetch: an old folder stays when the new one cannot be had") {
    Origin source{kModel};
    source.fetch(source.plan(source.offer()));
    source.contents["model.safetensors"] = std::string(5000, 'n');
    const FetchPlan plan = source.plan(source.offer());
    source.broken = true;
    CHECK(contains(refusal_of([&] { source.fetch(plan); }, ErrorKind::kNetwork),
                   "model.safetensors"));
    CHECK(toolkit::read_file(source.file("model.safetensors")) == kModel.at("model.safetensors"));
    source.broken = false;
    source.fetch(source.plan(source.offer()));
    CHECK(toolkit::read_file(source.file("model.safetensors")) == std::string(5000, 'n'));
  }

  TEST_CASE("fetch: hostile and colliding names touch nothing") {
    Origin source{kModel};
    for (const char* name : {"../x", "/etc/x", "a/../../x", "C:\\x", "a\nb", ".metadata.json",
                             "MODEL.safetensors", ".Metadata.JSON"}) {
      CAPTURE(name);
      Offer offer = source.offer();
      offer.files[0].name = name;
      CHECK_FALSE(refusal_of([&] { source.plan(offer); }).empty());
    }
    source.fetch(source.plan(source.offer()));
    CHECK(contains(refusal_of([&] { source.plan(source.offer("hf://Org/Model")); }),
                   "the cache has it as hf://org/model"));
  }

  TEST_CASE("fetch: a symlink planted where the folder is made leads nowhere") {
    Origin source{kModel};
    const fs::path outside = source.store.folder.path / "outside";
    fs::create_directories(outside);
    fs::create_directory_symlink(
        outside, folder_in_the_making(source.store.layout, parse_model_name("hf://org/model")));
    source.fetch(source.plan(source.offer()));
    CHECK(fs::is_empty(outside));
    CHECK(fs::is_regular_file(source.file("model.safetensors")));
  }

  TEST_CASE("fetch: too little space is said before anything is fetched") {
    Origin source{kModel};
    Offer offer = source.offer();
    offer.files[1].size_bytes = uint64_t{1} << 60;
    CHECK(
        contains(refusal_of([&] { source.fetch(source.plan(offer)); }, ErrorKind::kIo), "needs "));
    CHECK(source.server.received().empty());
  }

  TEST_CASE("fetch: eight processes at once on one model download it once") {
#if defined(__SANITIZE_THREAD__)
    std::puts("SKIPPED: the thread sanitizer cannot follow the threads of a forked process");
    return;
#endif
    Contents six;
    for (int i = 0; i < 6; ++i)
      six["f" + std::to_string(i)] = std::string(20000, static_cast<char>('a' + i));
    Origin source{.contents = six};
    std::vector<pid_t> children;
    for (int i = 0; i < 8; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        try {
          Registry registry =
              Registry::open(source.store.layout, toolkit::store::OpenMode::kReadWrite);
          http::Client client;
          const FetchPlan plan = plan_fetch(source.store.layout, registry, source.offer(), {});
          fetch_model(client, source.store.layout, registry, plan, {}, {});
          ::_exit(0);
        } catch (const std::exception& error) {
          std::fprintf(stderr, "%s\n", error.what());
          ::_exit(1);
        }
      }
      children.push_back(child);
    }
    for (const pid_t child : children) {
      int status = 0;
      ::waitpid(child, &status, 0);
      CHECK(status == 0);
    }
    CHECK(source.server.received().size() == 6);
    CHECK(is_complete_folder(source.file("").parent_path()));
    CHECK(source.incoming() == 0);
  }
}
