#include "projects/tune/trial_journal.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>

#include "core/base/atomic_file.h"
#include "core/base/error.h"

namespace toolkit::tune {

namespace {

namespace fs = std::filesystem;

Json number_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

double number_of(const Json& value) {
  return value.is_null() ? std::nan("") : value.get<double>();
}

void check_same_search(const Json& old, const Json& now, const fs::path& file) {
  std::vector<std::string> different;
  for (const auto& [name, value] : now.items()) {
    if (!old.contains(name) || old[name] != value) different.push_back(name);
  }
  if (!different.empty())
    fail(ErrorKind::kUserInput,
         "--resume: {} was made with another {}; give the same settings, or another --output",
         file.string(), fmt::join(different, ", "));
}

bool lies_in(const search::Space& space, const search::Point& point) {
  if (point.size() != space.size()) return false;
  for (size_t i = 0; i < space.size(); ++i) {
    const search::Dimension& one = space.dimensions()[i];
    const bool choice = one.kind == search::Dimension::Kind::kChoice;
    const double low = choice ? 0 : one.low;
    const double high = choice ? static_cast<double>(one.choices.size()) - 1 : one.high;
    if (!(point[i] >= low && point[i] <= high)) return false;
  }
  return true;
}

void take(const Json& line, const search::Space& space, std::vector<Trial>& trials) {
  const auto trial = line.at("trial").get<size_t>(), round = line.at("round").get<size_t>();
  const auto point = line.at("point").get<search::Point>();
  if (!lies_in(space, point)) fail(ErrorKind::kUserInput, "the point is not in the space");
  if (trial == trials.size()) trials.push_back({.point = point, .rounds = {}});
  if (trial >= trials.size() || trials[trial].rounds.size() != round)
    fail(ErrorKind::kUserInput, "trial {} round {} does not follow the lines before", trial, round);
  trials[trial].rounds.push_back({.run = line.at("run"),
                                  .loss = number_of(line.at("loss")),
                                  .loss_before = number_of(line.at("loss_before")),
                                  .seconds = line.at("seconds"),
                                  .peak_bytes = line.at("peak_bytes"),
                                  .error = line.at("error")});
}

}  // namespace

TrialJournal TrialJournal::create(fs::path file, const Json& search) {
  if (fs::exists(file))
    fail(ErrorKind::kUserInput,
         "{} holds a search already; --resume goes on with it, or name another --output",
         file.parent_path().string());
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  write_file_atomically(file, search.dump() + "\n");
  return TrialJournal(std::move(file));
}

TrialJournal TrialJournal::resume(fs::path file, const Json& search, const search::Space& space,
                                  std::vector<Trial>& trials) {
  if (!fs::exists(file))
    fail(ErrorKind::kNotFound, "--resume: there is no {}; leave --resume out to start a search",
         file.string());
  const std::string text = read_file(file);
  const std::string whole = text.substr(0, text.rfind('\n') + 1);
  int number = 0;
  for (size_t begin = 0; begin < whole.size();) {
    const size_t end = whole.find('\n', begin);
    const std::string where = fmt::format("{}:{}", file.string(), ++number);
    const Json line = parse_json(whole.substr(begin, end - begin), where);
    begin = end + 1;
    if (number == 1) {
      check_same_search(line, search, file);
      continue;
    }
    try {
      take(line, space, trials);
    } catch (const std::exception& error) {
      fail(ErrorKind::kUserInput, "{}: not a trial of this search: {}", where, error.what());
    }
  }
  if (number == 0)
    fail(ErrorKind::kUserInput, "{} is empty: remove it and leave --resume out", file.string());
  if (whole.size() < text.size()) write_file_atomically(file, whole);
  return TrialJournal(std::move(file));
}

void TrialJournal::add(const Turn& turn, const Trial& trial, const Settings& settings) {
  const Result& result = trial.rounds[turn.round];
  const std::string line = Json({{"trial", turn.trial},
                                 {"round", turn.round},
                                 {"point", trial.point},
                                 {"settings", settings},
                                 {"run", result.run},
                                 {"loss", number_or_null(result.loss)},
                                 {"loss_before", number_or_null(result.loss_before)},
                                 {"seconds", result.seconds},
                                 {"peak_bytes", result.peak_bytes},
                                 {"error", result.error}})
                               .dump(-1, ' ', false, Json::error_handler_t::replace) +
                           "\n";
  const int descriptor = ::open(file_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  const bool written =
      descriptor >= 0 &&
      ::write(descriptor, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
      ::fsync(descriptor) == 0;
  const int error = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!written)
    fail(ErrorKind::kIo, "{}: cannot be written: {}", file_.string(), std::strerror(error));
}

}  // namespace toolkit::tune
