#include "core/data/mixture.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/base/random.h"

namespace toolkit::data {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kPickStream = 3000;  // of the seed; + part

MixturePart parse_part(const std::string& text, const std::string& whole) {
  const size_t colon = text.rfind(':');
  MixturePart part{.path = text};
  if (colon == std::string::npos || colon == 0 || fs::exists(text)) return part;
  const std::string number = text.substr(colon + 1);
  char* stop = nullptr;
  part.weight = std::strtod(number.c_str(), &stop);
  // What is no number is part of a name.
  if (number.empty() || *stop != '\0') return {.path = text};
  if (!(part.weight > 0) || !std::isfinite(part.weight))
    fail(ErrorKind::kUserInput, "{}: the weight behind '{}' must be a number above 0, found {}",
         whole, text.substr(0, colon), number);
  part.path = text.substr(0, colon);
  return part;
}

/// `count` of the rows, in their order.
RowSet picked(const RowSet& rows, size_t count, Random random) {
  if (count >= rows.size()) return rows;
  std::vector<size_t> order(rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  random.shuffle(order);
  std::vector<bool> marks(rows.size(), false);
  for (size_t i = 0; i < count; ++i) marks[order[i]] = true;
  return rows.chosen(marks);
}

}  // namespace

std::vector<MixturePart> parse_mixture(const std::string& text) {
  if (fs::exists(text) || text.find(',') == std::string::npos) {
    MixturePart one = parse_part(text, text);
    return {{.path = one.path}};
  }
  std::vector<MixturePart> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    std::string word = text.substr(begin, end - begin);
    while (!word.empty() && word.front() == ' ') word.erase(0, 1);
    while (!word.empty() && word.back() == ' ') word.pop_back();
    if (word.empty())
      fail(ErrorKind::kUserInput, "{}: a name is missing beside a comma; expected a.jsonl,b.jsonl",
           text);
    parts.push_back(parse_part(word, text));
    begin = end + 1;
  }
  const auto weighted = std::count_if(parts.begin(), parts.end(),
                                      [](const MixturePart& part) { return part.weight > 0; });
  if (weighted != 0 && weighted != static_cast<std::ptrdiff_t>(parts.size()))
    fail(ErrorKind::kUserInput,
         "{}: {} of {} data sets have a weight; give each one (a.jsonl:0.7,b.jsonl:0.3) or none",
         text, weighted, parts.size());
  return parts;
}

Splits read_mixture(const std::vector<MixturePart>& parts, const Columns& columns,
                    double valid_share, uint64_t seed, std::vector<MixedPart>* mixed) {
  std::vector<Splits> read;
  double fits = std::numeric_limits<double>::infinity();  // rows for a weight of one
  for (const MixturePart& part : parts) {
    read.push_back(read_data_set(part.path, columns, valid_share, seed));
    if (part.weight > 0)
      fits = std::min(fits, static_cast<double>(read.back().train.size()) / part.weight);
  }
  Splits all;
  for (size_t i = 0; i < parts.size(); ++i) {
    Splits& own = read[i];
    const size_t rows = own.train.size();
    const size_t used =
        parts[i].weight > 0
            ? std::clamp<size_t>(static_cast<size_t>(std::llround(fits * parts[i].weight)), 1, rows)
            : rows;
    if (mixed) mixed->push_back({.part = parts[i], .rows = rows, .used = used});
    all.train.append(picked(own.train, used, Random(seed, kPickStream + i)));
    all.valid.append(own.valid);
    all.test.append(own.test);
    std::move(own.bad.begin(), own.bad.end(), std::back_inserter(all.bad));
    std::move(own.files.begin(), own.files.end(), std::back_inserter(all.files));
    if (all.format.empty()) all.format = own.format;
  }
  return all;
}

}  // namespace toolkit::data
