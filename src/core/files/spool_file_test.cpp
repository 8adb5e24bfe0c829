#include "core/files/spool_file.h"

#include <doctest/doctest.h>

#include <cstring>
#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/base/testing.h"

namespace toolkit::files {

TEST_SUITE("unit") {
  TEST_CASE("spool file: what was appended is mapped and no name is left in the folder") {
    const testing::TestingFolder folder;
    std::optional<SpoolFile> file(folder.path);
    const std::string first(5000, 'a'), second = "the end";
    for (const std::string& text : {first, second})
      file->append({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    CHECK(std::filesystem::is_empty(folder.path));
    const std::shared_ptr<const void> mapped = file->map();
    file.reset();  // the mapping outlives it
    CHECK(std::string(static_cast<const char*>(mapped.get()), 5007) == first + second);
  }

  TEST_CASE("spool file: nothing written is nothing mapped and a missing folder is told") {
    const testing::TestingFolder folder;
    CHECK(SpoolFile(folder.path).map() == nullptr);
    CHECK_THROWS_WITH_AS(SpoolFile(folder.path / "none"),
                         doctest::Contains("cannot make a temporary file"), Error);
  }
}

}  // namespace toolkit::files
