#include <text_bridge.h>

#include <memory>

#include "core/base/error.h"
#include "core/data/line_reader.h"
#include "core/data/row_source.h"
#include "core/data/text_file.h"
#include "core/text/bridge.h"

namespace toolkit::data {
namespace {

class Parquet : public RowSource {
 public:
  explicit Parquet(const std::filesystem::path& path) : path_(path.string()) {
    check_is_plain_file(path);
    TbParquet* reader = nullptr;
    text::BridgeBytes error;
    const int status = tb_parquet_open(text::bytes_of(path_), path_.size(), &reader, &error.raw);
    // A panic of the crate is what a broken file may lead to.
    text::check_bridge(status, error, path_, ErrorKind::kUserInput);
    reader_.reset(reader);
  }

  bool next(SourceRow& row) override {
    text::BridgeBytes bytes, error;
    const int status = tb_parquet_next(reader_.get(), &bytes.raw, &error.raw);
    row.object = nullptr;
    row.problem.clear();
    row.line = number_ + 1;
    try {
      text::check_bridge(status, error, "Parquet", ErrorKind::kUserInput);
      if (bytes.view().empty()) return false;
      if (bytes.view().size() > LineReader::kLimitBytes)
        fail(ErrorKind::kUserInput, "longer than {} MiB", LineReader::kLimitBytes >> 20);
      row.object = parse_row(bytes.view());
    } catch (const Error& failure) {
      row.problem = failure.what();
    }
    ++number_;
    return true;
  }

 private:
  struct Free {
    void operator()(TbParquet* reader) const { tb_parquet_free(reader); }
  };
  std::string path_;
  std::unique_ptr<TbParquet, Free> reader_;
  int number_ = 0;
};

}  // namespace

std::unique_ptr<RowSource> open_parquet(const std::filesystem::path& path) {
  return std::make_unique<Parquet>(path);
}

}  // namespace toolkit::data
