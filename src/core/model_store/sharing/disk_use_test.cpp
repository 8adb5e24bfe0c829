#include "core/model_store/sharing/disk_use.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/testing.h"

namespace fs = std::filesystem;
using namespace toolkit::model_store;
namespace files = toolkit::files;
using toolkit::testing::TestingFolder;

namespace {

Inventory inventory(Place place, const std::vector<fs::path>& paths) {
  Inventory made{.place = place, .root = "/root", .present = true};
  StoredModel model;
  model.place = place;
  for (const fs::path& path : paths)
    model.files.push_back({.name = path.filename().string(),
                           .path = path,
                           .identity = *files::resolved_identity(path)});
  made.models.push_back(std::move(model));
  return made;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("disk_use: three names of one file and an own one, as st_blocks says") {
    const TestingFolder folder;
    const fs::path a = folder.write("a", std::string(300000, 'a'));
    for (const char* name : {"b", "c"}) fs::create_hard_link(a, folder.path / name);
    const fs::path own = folder.write("own", std::string(100000, 'x'));
    const uint64_t one = files::identity_of(a)->allocated_bytes;
    const uint64_t other = files::identity_of(own)->allocated_bytes;
    const DiskUse use = measure_disk_use(
        {inventory(Place::kCache, {a}), inventory(Place::kHub, {folder.path / "b", own}),
         inventory(Place::kOllama, {folder.path / "c"})},
        0);
    CHECK(use.named_bytes == 3 * one + other);
    CHECK(use.used_bytes == one + other);
    CHECK(use.saved_bytes() == 2 * one);
    CHECK(use.saved_share() ==
          doctest::Approx(static_cast<double>(2 * one) / static_cast<double>(3 * one + other)));
    REQUIRE(use.places.size() == 3);
    for (const PlaceUse& place : use.places) {
      CHECK(place.shared_bytes == one);
      CHECK(place.own_bytes == (place.place == Place::kHub ? other : 0));
      CHECK(place.files == (place.place == Place::kHub ? 2 : 1));
    }
  }

  TEST_CASE("disk_use: what our store shows by a symlink is counted where it lies") {
    const TestingFolder folder;
    const fs::path blob = folder.write("blob", std::string(300000, 'a'));
    fs::create_directory_symlink(folder.path, folder.path / "link");
    const DiskUse use =
        measure_disk_use({inventory(Place::kCache, {blob, folder.path / "link/blob"}),
                          inventory(Place::kOllama, {blob})},
                         0);
    CHECK(use.named_bytes == use.used_bytes);
    CHECK(use.saved_share() == 0);
    for (const PlaceUse& place : use.places)
      CHECK(place.named_bytes == (place.place == Place::kCache ? 0 : use.used_bytes));
  }

  TEST_CASE("disk_use: clones by our record, a sparse file by its blocks, no store at all") {
    const TestingFolder folder;
    const fs::path a = folder.write("a", std::string(300000, 'a'));
    const fs::path b = folder.write("b", std::string(300000, 'a'));
    const uint64_t one = files::identity_of(a)->allocated_bytes;
    const std::vector<Inventory> both = {inventory(Place::kCache, {a}),
                                         inventory(Place::kFolder, {b})};
    CHECK(measure_disk_use(both, 0).saved_bytes() == 0);
    CHECK(measure_disk_use(both, one).saved_bytes() == one);
    CHECK(measure_disk_use(both, uint64_t{1} << 60).used_bytes == 0);
    const fs::path sparse = folder.write("sparse", "");
    fs::resize_file(sparse, 64 << 20);
    CHECK(measure_disk_use({inventory(Place::kFolder, {sparse})}, 0).used_bytes < 1 << 20);
    const DiskUse none = measure_disk_use({Inventory{.place = Place::kHub}}, 0);
    CHECK(none.places.empty());
    CHECK(none.saved_share() == 0);
  }
}
