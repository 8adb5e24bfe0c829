#include "core/store/database.h"

#include "core/base/error.h"

namespace toolkit::store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

Statement::Statement(Statement&&) noexcept = default;

Statement& Statement::operator=(Statement&&) noexcept = default;

Statement::~Statement() = default;

Statement& Statement::bind(int, int64_t) {
  not_there_yet("bind");
}

Statement& Statement::bind(int, double) {
  not_there_yet("bind");
}

Statement& Statement::bind(int, std::string_view) {
  not_there_yet("bind");
}

Statement& Statement::bind_null(int) {
  not_there_yet("bind_null");
}

Statement& Statement::bind(int, const std::optional<std::string>&) {
  not_there_yet("bind");
}

bool Statement::step() {
  not_there_yet("step");
}

void Statement::run() {
  not_there_yet("run");
}

void Statement::reset() {
  not_there_yet("reset");
}

int64_t Statement::integer(int) const {
  not_there_yet("integer");
}

double Statement::real(int) const {
  not_there_yet("real");
}

std::string Statement::text(int) const {
  not_there_yet("text");
}

bool Statement::is_null(int) const {
  not_there_yet("is_null");
}

Statement::Statement(sqlite3_stmt* statement, std::string source)
    : statement_(statement), source_(std::move(source)) {}

Database Database::open(const std::filesystem::path&, OpenMode) {
  not_there_yet("open");
}

Database::Database(Database&&) noexcept = default;

Database& Database::operator=(Database&&) noexcept = default;

Database::~Database() = default;

Statement Database::prepare(std::string_view) {
  not_there_yet("prepare");
}

void Database::execute(std::string_view) {
  not_there_yet("execute");
}

int64_t Database::last_row_id() const {
  not_there_yet("last_row_id");
}

int64_t Database::changes() const {
  not_there_yet("changes");
}

Database::Database(sqlite3* connection, std::filesystem::path path)
    : connection_(connection), path_(std::move(path)) {}

Transaction::Transaction(Database& database) : database_(database) {
  not_there_yet("Transaction");
}

Transaction::~Transaction() = default;

void Transaction::commit() {
  not_there_yet("commit");
}

}  // namespace toolkit::store
