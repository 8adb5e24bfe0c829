#include "core/store/database.h"

#include <sqlite3.h>

#include <utility>

namespace toolkit::store {

namespace {

constexpr int kBusyMilliseconds = 10'000;

/// One message for everything SQLite refuses, by what a person can do about it.
[[noreturn]] void refuse(const std::string& path, int code, const std::string& words) {
  switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      throw DamagedDatabase(
          ErrorKind::kIo,
          fmt::format("{}: the database is damaged ({}); `repair` makes it anew from what lies on "
                      "disk",
                      path, words));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      fail(ErrorKind::kIo,
           "{}: another process has been writing for more than {} seconds; try again when it is "
           "done",
           path, kBusyMilliseconds / 1000);
    case SQLITE_FULL:
      fail(ErrorKind::kIo, "{}: the disk is full; nothing of this change was written", path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
      fail(ErrorKind::kIo, "{}: cannot be written to ({}); check whose file it is", path, words);
    case SQLITE_CANTOPEN:
      fail(ErrorKind::kIo, "{}: cannot be opened: {}", path, words);
    case SQLITE_NOMEM:
      fail(ErrorKind::kOutOfMemory, "{}: {}", path, words);
    default:
      fail(ErrorKind::kIo, "{}: {}", path, words);
  }
}

[[noreturn]] void refuse(const std::string& path, sqlite3* connection) {
  const std::string words = connection ? sqlite3_errmsg(connection) : "out of memory";
  refuse(path, connection ? sqlite3_extended_errcode(connection) : SQLITE_NOMEM, words);
}

/// The first page, read: tells a database from anything else and rolls a hot journal back.
int look_inside(sqlite3* connection) {
  return sqlite3_exec(connection, "SELECT count(*) FROM sqlite_schema", nullptr, nullptr, nullptr);
}

sqlite3* connect(const std::string& path, int flags) {
  sqlite3* connection = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &connection, flags | SQLITE_OPEN_EXRESCODE,
                                     /*zVfs=*/nullptr);
  if (result != SQLITE_OK) {
    const std::string words = connection ? sqlite3_errmsg(connection) : "out of memory";
    sqlite3_close_v2(connection);
    refuse(path, result, words);
  }
  sqlite3_busy_timeout(connection, kBusyMilliseconds);
  return connection;
}

}  // namespace

Statement::Statement(sqlite3_stmt* statement, std::string source)
    : statement_(statement), source_(std::move(source)) {}

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)), source_(std::move(other.source_)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  std::swap(source_, other.source_);
  return *this;
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

Statement& Statement::bind(int parameter, int64_t value) {
  if (sqlite3_bind_int64(statement_, parameter, value) != SQLITE_OK)
    refuse(source_, sqlite3_db_handle(statement_));
  return *this;
}

Statement& Statement::bind(int parameter, double value) {
  if (sqlite3_bind_double(statement_, parameter, value) != SQLITE_OK)
    refuse(source_, sqlite3_db_handle(statement_));
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view value) {
  if (sqlite3_bind_text64(statement_, parameter, value.data() ? value.data() : "", value.size(),
                          SQLITE_TRANSIENT, SQLITE_UTF8) != SQLITE_OK)
    refuse(source_, sqlite3_db_handle(statement_));
  return *this;
}

Statement& Statement::bind_null(int parameter) {
  if (sqlite3_bind_null(statement_, parameter) != SQLITE_OK)
    refuse(source_, sqlite3_db_handle(statement_));
  return *this;
}

Statement& Statement::bind_or_null(int parameter, const std::optional<std::string>& value) {
  return value ? bind(parameter, std::string_view(*value)) : bind_null(parameter);
}

bool Statement::step() {
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  const std::string words = sqlite3_errmsg(sqlite3_db_handle(statement_));
  sqlite3_reset(statement_);
  refuse(source_, result, words);
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() {
  sqlite3_reset(statement_);
}

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double Statement::real(int column) const {
  return sqlite3_column_double(statement_, column);
}

std::string Statement::text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_, column);
  if (!text) return "";
  return {reinterpret_cast<const char*>(text),
          static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Database::Database(sqlite3* connection, std::filesystem::path path, OpenMode mode)
    : connection_(connection), path_(std::move(path)), mode_(mode) {}

Database::Database(Database&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)),
      path_(std::move(other.path_)),
      mode_(other.mode_) {}

Database& Database::operator=(Database&& other) noexcept {
  std::swap(connection_, other.connection_);
  std::swap(path_, other.path_);
  std::swap(mode_, other.mode_);
  return *this;
}

Database::~Database() {
  sqlite3_close_v2(connection_);
}

Database Database::open(const std::filesystem::path& path, OpenMode mode) {
  const bool reading = mode == OpenMode::kReadOnly;
  std::error_code error;
  if (reading && !std::filesystem::exists(path, error))
    fail(ErrorKind::kNotFound, "{}: there is no such database", path.string());
  const int flags = reading ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  Database database(connect(path.string(), flags), path, mode);
  int looked = look_inside(database.connection_);
  if (reading && looked == SQLITE_READONLY_ROLLBACK) {
    // A killed writer's journal can only be rolled back by who may write.
    database = Database(connect(path.string(), SQLITE_OPEN_READWRITE), path, mode);
    looked = look_inside(database.connection_);
    if (looked == SQLITE_OK) database.execute("PRAGMA query_only = ON");
  }
  if (looked != SQLITE_OK) refuse(path.string(), database.connection_);
  database.execute("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL");
  if (!reading) database.execute("PRAGMA journal_mode = DELETE");
  return database;
}

Database Database::in_memory() {
  Database database(connect(":memory:", SQLITE_OPEN_READWRITE), ":memory:", OpenMode::kReadWrite);
  database.execute("PRAGMA foreign_keys = ON");
  return database;
}

Statement Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(connection_, sql.data(), static_cast<int>(sql.size()), &statement,
                         nullptr) != SQLITE_OK)
    refuse(path_.string(), connection_);
  return Statement(statement, path_.string());
}

void Database::execute(const std::string& sql) {
  if (sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    refuse(path_.string(), connection_);
}

void Database::set_patience(std::chrono::milliseconds patience) {
  sqlite3_busy_timeout(connection_, static_cast<int>(patience.count()));
}

std::string Database::damage() {
  try {
    Statement check = prepare("PRAGMA quick_check(1)");
    if (!check.step()) return "";
    const std::string found = check.text(0);
    return found == "ok" ? "" : found;
  } catch (const DamagedDatabase& error) {
    return error.what();
  }
}

int64_t Database::last_row_id() const {
  return sqlite3_last_insert_rowid(connection_);
}

int64_t Database::changes() const {
  return sqlite3_changes64(connection_);
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const Error&) {
    // After a full disk SQLite has rolled back by itself.
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace toolkit::store
