#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace toolkit::store {

/// One prepared statement (SQLite). Parameters count from 1, columns from 0.
class Statement {
 public:
  Statement(Statement&&) noexcept;
  Statement& operator=(Statement&&) noexcept;
  ~Statement();
  Statement& bind(int parameter, int64_t value);
  Statement& bind(int parameter, double value);
  Statement& bind(int parameter, std::string_view value);
  Statement& bind_null(int parameter);
  Statement& bind_or_null(int parameter, const std::optional<std::string>& value);
  bool step();  // true: a row is there
  void run();   // steps to the end and resets, for another round of bind()
  void reset();
  int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;  // "" for NULL
  bool is_null(int column) const;

 private:
  friend class Database;
  Statement(sqlite3_stmt* statement, std::string source);
  sqlite3_stmt* statement_ = nullptr;
  std::string source_;  // path of the database, for messages
};

/// Not a database, or one whose pages contradict each other: what is in it cannot be read.
class DamagedDatabase : public Error {
 public:
  using Error::Error;
};

enum class OpenMode { kReadOnly, kReadWrite };

/// One connection. Foreign keys on, a rollback journal (Debian's SQLite 3.40 loses data when two
/// connections checkpoint a WAL at once; fixed in 3.51.3), synchronous=FULL, waits up to ten
/// seconds for another writer. Throws Error(kIo) with path and SQLite's words; Error(kNotFound) for
/// kReadOnly when there is no file; DamagedDatabase for a file that is no database or is damaged.
/// What a killed writer left half-done is rolled back on opening, by kReadOnly too.
class Database {
 public:
  static Database open(const std::filesystem::path& path, OpenMode mode);
  /// A database that is gone with this object; path() is ":memory:".
  static Database in_memory();
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();
  Statement prepare(std::string_view sql);
  void execute(const std::string& sql);  // one or more statements, no parameters
  /// How long statements from now on wait for another writer before they fail.
  void set_patience(std::chrono::milliseconds patience);
  /// Reads every page (PRAGMA quick_check): what is wrong, or "".
  std::string damage();
  int64_t last_row_id() const;
  int64_t changes() const;  // rows of the last INSERT, UPDATE or DELETE
  bool read_only() const { return mode_ == OpenMode::kReadOnly; }
  const std::filesystem::path& path() const { return path_; }

 private:
  Database(sqlite3* connection, std::filesystem::path path, OpenMode mode);
  sqlite3* connection_ = nullptr;
  std::filesystem::path path_;
  OpenMode mode_ = OpenMode::kReadWrite;
};

/// BEGIN IMMEDIATE now, rolled back unless commit() was reached.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace toolkit::store
