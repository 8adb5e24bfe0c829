#include "core/store/migrations.h"

#include <doctest/doctest.h>

#include <vector>

#include "core/base/testing.h"

namespace toolkit::store {

namespace {

using testing::contains;
using testing::refusal_of;
using testing::TestingFolder;

constexpr Migration kSteps[] = {{1, "CREATE TABLE a (x); INSERT INTO a VALUES (7)"},
                                {2, "ALTER TABLE a ADD COLUMN y DEFAULT 8"},
                                {3, "CREATE TABLE b (z)"}};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("from every version to the newest, rows kept, each step once") {
    for (size_t known = 0; known <= 3; ++known) {
      Database database = Database::in_memory();
      migrate(database, std::span(kSteps).first(known));
      CHECK(schema_version(database) == static_cast<int>(known));
      migrate(database, kSteps);
      migrate(database, kSteps);
      CHECK(schema_version(database) == 3);
      Statement row = database.prepare("SELECT x + y, (SELECT count(*) FROM a) FROM a");
      REQUIRE(row.step());
      CHECK(row.integer(0) == 15);
      CHECK(row.integer(1) == 1);
    }
  }

  TEST_CASE("a newer database is refused and stays as it is") {
    const TestingFolder folder;
    Database database = Database::open(folder.path / "a.db", OpenMode::kReadWrite);
    database.execute("PRAGMA user_version = 9");
    const std::string refusal =
        refusal_of([&] { migrate(database, kSteps); }, ErrorKind::kUnsupported);
    CHECK(contains(refusal, "newer program (schema 9, this one knows 3)"));
    CHECK(schema_version(database) == 9);
    Statement tables = database.prepare("SELECT count(*) FROM sqlite_schema");
    REQUIRE(tables.step());
    CHECK(tables.integer(0) == 0);
  }

  TEST_CASE("a step that fails leaves the version before all of them") {
    Database database = Database::in_memory();
    const std::vector<Migration> broken{kSteps[0], {2, "ALTER TABLE absent ADD COLUMN y"}};
    CHECK_THROWS_AS(migrate(database, broken), Error);
    CHECK(schema_version(database) == 0);
    Statement tables = database.prepare("SELECT count(*) FROM sqlite_schema");
    REQUIRE(tables.step());
    CHECK(tables.integer(0) == 0);
  }

  TEST_CASE("versions without gaps") {
    Database database = Database::in_memory();
    const std::vector<Migration> gap{{1, ""}, {3, ""}};
    CHECK_THROWS_AS(migrate(database, gap), Error);
  }
}

}  // namespace toolkit::store
