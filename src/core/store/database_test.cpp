#include "core/store/database.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "core/base/testing.h"

namespace toolkit::store {

namespace {

using testing::contains;
using testing::refusal_of;
using testing::TestingFolder;

int64_t count(Database& database, const std::string& table) {
  Statement statement = database.prepare("SELECT count(*) FROM " + table);
  REQUIRE(statement.step());
  return statement.integer(0);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("values go in and come back") {
    Database database = Database::in_memory();
    database.execute("CREATE TABLE t (a INTEGER, b REAL, c TEXT, d TEXT)");
    Statement insert = database.prepare("INSERT INTO t VALUES (?, ?, ?, ?)");
    insert.bind(1, int64_t{-5}).bind(2, 0.25).bind(3, "ü'\"x").bind_null(4).run();
    insert.bind(1, int64_t{1} << 60).bind_or_null(4, "d").run();
    CHECK(database.changes() == 1);
    CHECK(database.last_row_id() == 2);
    Statement select = database.prepare("SELECT * FROM t");
    REQUIRE(select.step());
    CHECK(select.integer(0) == -5);
    CHECK(select.real(1) == 0.25);
    CHECK(select.text(2) == "ü'\"x");
    CHECK(select.is_null(3));
    CHECK(select.text(3).empty());
    REQUIRE(select.step());
    CHECK(select.integer(0) == int64_t{1} << 60);
    CHECK(select.text(3) == "d");
    CHECK(!select.step());
  }

  TEST_CASE("a transaction that is not committed leaves nothing") {
    const TestingFolder folder;
    Database database = Database::open(folder.path / "a.db", OpenMode::kReadWrite);
    database.execute("CREATE TABLE t (a)");
    {
      Transaction transaction(database);
      database.execute("INSERT INTO t VALUES (1)");
    }
    CHECK(count(database, "t") == 0);
    {
      Transaction transaction(database);
      database.execute("INSERT INTO t VALUES (1)");
      transaction.commit();
    }
    CHECK(count(database, "t") == 1);
  }

  TEST_CASE("settings of a connection: foreign keys, rollback journal, full sync") {
    const TestingFolder folder;
    Database database = Database::open(folder.path / "a.db", OpenMode::kReadWrite);
    for (const auto& [pragma, expected] : {std::pair{"foreign_keys", "1"},
                                           {"journal_mode", "delete"},
                                           {"synchronous", "2"},
                                           {"busy_timeout", "10000"}}) {
      Statement statement = database.prepare(std::string("PRAGMA ") + pragma);
      REQUIRE(statement.step());
      CHECK_MESSAGE(statement.text(0) == expected, pragma);
    }
  }

  TEST_CASE("what is not there, is no database, is damaged or read-only is named") {
    const TestingFolder folder;
    const auto open = [&](const char* name, OpenMode mode) {
      return [&folder, name, mode] { Database::open(folder.path / name, mode); };
    };
    CHECK(contains(refusal_of(open("a.db", OpenMode::kReadOnly), ErrorKind::kNotFound),
                   "a.db: there is no such database"));
    folder.write("text.db", std::string(5000, 'x'));
    CHECK_THROWS_AS(Database::open(folder.path / "text.db", OpenMode::kReadOnly), DamagedDatabase);
    CHECK_THROWS_AS(Database::open(folder.path / "text.db", OpenMode::kReadWrite), DamagedDatabase);
    CHECK(contains(refusal_of(open("text.db", OpenMode::kReadWrite), ErrorKind::kIo), "`repair`"));
    Database::open(folder.path / "b.db", OpenMode::kReadWrite).execute("CREATE TABLE t (a)");
    Database reader = Database::open(folder.path / "b.db", OpenMode::kReadOnly);
    CHECK(reader.read_only());
    CHECK(contains(refusal_of([&] { reader.execute("INSERT INTO t VALUES (1)"); }, ErrorKind::kIo),
                   "b.db: cannot be written to"));
  }

  TEST_CASE("pages that were overwritten are found") {
    const TestingFolder folder;
    const auto path = folder.path / "a.db";
    {
      Database database = Database::open(path, OpenMode::kReadWrite);
      database.execute("CREATE TABLE t (a)");
      Transaction transaction(database);
      for (int i = 0; i < 2000; ++i)
        database.prepare("INSERT INTO t VALUES (?)").bind(1, std::string(20, 'a')).run();
      transaction.commit();
      CHECK(database.damage().empty());
    }
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3 * 4096);
    file << std::string(4096, '\x7f');
    file.close();
    Database database = Database::open(path, OpenMode::kReadOnly);
    CHECK(!database.damage().empty());
  }

  TEST_CASE("a writer that was killed in a transaction is rolled back, for readers too") {
    const TestingFolder folder;
    const auto path = folder.path / "a.db";
    Database::open(path, OpenMode::kReadWrite).execute("CREATE TABLE t (a, b)");
    const pid_t child = ::fork();
    if (child == 0) {
      Database database = Database::open(path, OpenMode::kReadWrite);
      // A cache of one page makes SQLite write before the commit: a hot journal is left.
      database.execute("PRAGMA cache_size = 1; BEGIN IMMEDIATE");
      for (int i = 0; i < 500; ++i)
        database.prepare("INSERT INTO t VALUES (1, ?)").bind(1, std::string(1000, 'b')).run();
      ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(std::filesystem::exists(path.string() + "-journal"));
    Database reader = Database::open(path, OpenMode::kReadOnly);
    CHECK(count(reader, "t") == 0);
    CHECK_THROWS_AS(reader.execute("INSERT INTO t VALUES (1, 2)"), Error);
  }
}

}  // namespace toolkit::store
