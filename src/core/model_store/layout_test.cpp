#include "core/model_store/layout.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"

namespace toolkit::model_store {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::refusal_of;
using testing::TestingFolder;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("where everything lies") {
    const Layout layout{"/c"};
    CHECK(layout.model_folder({Source::kHuggingFace, "org/model"}) == "/c/models/hf--org--model");
    CHECK(layout.registry() == "/c/registry.db");
    CHECK(layout.incoming() == "/c/incoming");
  }

  TEST_CASE("a store is made with its marker, again without harm") {
    const TestingFolder folder;
    const Layout layout{folder.path / "a" / "cache"};
    CHECK(!store_is_there(layout));
    create_store(layout);
    CHECK(store_is_there(layout));
    for (const fs::path& made :
         {layout.models(), layout.incoming(), layout.journal(), layout.locks(), layout.logs()})
      CHECK(fs::is_directory(made));
    CHECK(fs::is_symlink(layout.logs() / "mlx-cache.log"));
    CHECK(read_file(layout.settings()).starts_with("# Settings of this cache"));
    write_file_atomically(layout.settings(), "auto_clean: false\n");
    create_store(layout);
    CHECK(read_file(layout.settings()) == "auto_clean: false\n");
    fs::remove_all(layout.incoming());
    create_store(layout);
    CHECK(fs::is_directory(layout.incoming()));
  }

  TEST_CASE("a folder of somebody else is refused and stays as it is") {
    const TestingFolder folder;
    folder.write("letter.txt", "x");
    const std::string refusal = refusal_of([&] { create_store({folder.path}); });
    CHECK(contains(refusal, "holds 'letter.txt'"));
    CHECK(folder.entries() == 1);
  }

  TEST_CASE("settings alone, or a beginning that was cut off, are no reason to refuse") {
    const TestingFolder folder;
    folder.write("config.yaml", "auto_clean: false\n");
    folder.write("..mlx-cache.part-1-0", "");
    create_store({folder.path});
    CHECK(store_is_there({folder.path}));
  }

  TEST_CASE("an empty folder where a volume was is no store") {
    const TestingFolder folder;
    CHECK(!store_is_there({folder.path}));
    CHECK(!store_is_there({folder.path / "absent"}));
  }

  TEST_CASE("a folder that cannot be made is named") {
    const TestingFolder folder;
    folder.write("file", "");
    CHECK(contains(refusal_of([&] { create_store({folder.path / "file" / "x"}); }, ErrorKind::kIo),
                   "cannot make this folder"));
  }

  TEST_CASE("models/ and incoming/ on two volumes are refused") {
    std::error_code error;
    const fs::path other = "/dev/shm";
    const TestingFolder folder;
    if (!fs::is_directory(other, error) ||
        fs::space(other, error).capacity == fs::space(folder.path, error).capacity) {
      MESSAGE("SKIPPED: no second volume at /dev/shm");
      return;
    }
    create_store({folder.path / "c"});
    const fs::path away = other / ("toolkit_layout_test_" + std::to_string(::getpid()));
    fs::create_directories(away);
    fs::remove(folder.path / "c" / "incoming");
    fs::create_directory_symlink(away, folder.path / "c" / "incoming");
    CHECK(contains(refusal_of([&] { create_store({folder.path / "c"}); }), "different volumes"));
    fs::remove_all(away);
  }

  TEST_CASE("locks: a model's is exclusive, the store's may be shared") {
    const TestingFolder folder;
    const Layout layout{folder.path / "c"};
    create_store(layout);
    const ModelName name{Source::kHuggingFace, "org/model"};
    const auto shared = lock_store(layout, files::LockMode::kShared, "add");
    const auto again = lock_store(layout, files::LockMode::kShared, "add");
    CHECK(shared.held());
    CHECK(again.held());
    CHECK(!files::FileLock::try_take(layout.locks() / "store", files::LockMode::kExclusive, "clean")
               .held());
    const auto model = lock_model(layout, name, "add hf://org/model");
    CHECK(!files::FileLock::try_take(layout.locks() / model_lock_name(name.folder_name()),
                                     files::LockMode::kExclusive, "x")
               .held());
    CHECK(lock_blob(layout, std::string(64, 'a'), "add").held());
  }

  TEST_CASE("MLX_CACHE_DIR goes before the settings, those before ~/.mlx-cache") {
    const TestingFolder home;
    const std::string before = std::getenv("HOME") ? std::getenv("HOME") : "";
    ::setenv("HOME", home.path.c_str(), 1);
    ::unsetenv("MLX_CACHE_DIR");
    ::unsetenv("MLX_INFRASTRUCTURE_HOME");
    CHECK(default_layout().root == home.path / ".mlx-cache");
    home.write(".mlx-infrastructure/config.yaml", "mlxcache:\n  cache_dir: ~/models/cache/\n");
    CHECK(default_layout().root == home.path / "models/cache");
    ::setenv("MLX_CACHE_DIR", (home.path / "x").c_str(), 1);
    CHECK(default_layout().root == home.path / "x");
    ::unsetenv("MLX_CACHE_DIR");
    ::setenv("HOME", before.c_str(), 1);
  }
}

}  // namespace toolkit::model_store
