#include "core/distributed/process_group.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/base/error.h"
#include "core/distributed/transport.h"
#include "core/distributed/watchdog.h"
#include "core/hash/hasher.h"
#include "mlx/distributed/distributed.h"
#include "mlx/distributed/ops.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::distributed {

namespace {

constexpr size_t kBufferElements = size_t{16} << 20;

int elements(const mx::array& array) {
  return static_cast<int>(array.size());
}

}  // namespace

struct ProcessGroup::Connection {
  mx::distributed::Group group;
  std::chrono::seconds timeout;
};

ProcessGroup::ProcessGroup() = default;

ProcessGroup ProcessGroup::from_environment() {
  const Transport transport = transport_of_environment();
  ProcessGroup result;
  if (transport.name.empty()) return result;
  if (!mx::distributed::is_available(transport.name))
    fail(
        ErrorKind::kUnsupported,
        "this build of MLX has no '{}' transport (mpi needs an MPI library that can be found, nccl "
        "a CUDA build, jaccl a Mac with RDMA); ring is always there: `mlx-toolkit launch`",
        transport.name);
  try {
    result.connection_ = std::make_shared<Connection>(
        mx::distributed::init(/* strict= */ true, transport.name), peer_timeout());
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    const bool taken = std::string_view(error.what()).find("bind") != std::string_view::npos;
    fail(ErrorKind::kUserInput, "the other processes cannot be reached over '{}': {}{}",
         transport.name, error.what(),
         taken
             ? "; another program has this rank's port: `mlx-toolkit launch --port N` takes others"
             : "");
  }
  result.transport_ = transport.name;
  result.rank_ = result.connection_->group.rank();
  result.size_ = result.connection_->group.size();
  return result;
}

void ProcessGroup::evaluate(std::vector<mx::array> arrays) const {
  const auto timeout = connection_->timeout;
  const Watchdog watchdog(timeout, [rank = rank_, timeout] {
    std::fprintf(stderr,
                 "error: rank %d waited %lld s for the other processes and gives up; one of them "
                 "is gone or stuck (MLX_TOOLKIT_PEER_TIMEOUT sets this time)\n",
                 rank, static_cast<long long>(timeout.count()));
    std::_Exit(1);
  });
  mx::eval(std::move(arrays));
}

std::vector<mx::array> ProcessGroup::sum(std::vector<mx::array> arrays) const {
  if (alone()) return arrays;
  mx::eval(arrays);  // our own work is no wait for others
  size_t begin = 0;
  while (begin < arrays.size()) {
    std::vector<mx::array> flat;
    size_t end = begin, total = 0;
    for (; end < arrays.size() && (flat.empty() || total + arrays[end].size() <= kBufferElements);
         total += arrays[end++].size())
      flat.push_back(mx::astype(mx::reshape(arrays[end], {-1}), mx::float32));
    mx::array all = mx::distributed::all_sum(mx::concatenate(flat, 0), connection_->group);
    flat.clear();
    evaluate({all});
    for (int at = 0; begin < end; ++begin) {
      const int count = elements(arrays[begin]);
      arrays[begin] = mx::reshape(mx::slice(all, {at}, {at + count}), arrays[begin].shape());
      at += count;
    }
  }
  mx::eval(arrays);
  return arrays;
}

std::vector<uint32_t> ProcessGroup::gather(std::span<const uint32_t> words) const {
  if (alone()) return {words.begin(), words.end()};
  const mx::array own(words.begin(), {static_cast<int>(words.size())}, mx::uint32);
  const mx::array all = mx::distributed::all_gather(own, connection_->group);
  evaluate({all});
  return {all.data<uint32_t>(), all.data<uint32_t>() + all.size()};
}

std::vector<double> ProcessGroup::sum(std::span<const double> numbers) const {
  std::vector<uint32_t> words(2 * numbers.size());
  std::memcpy(words.data(), numbers.data(), numbers.size_bytes());
  const std::vector<uint32_t> all = gather(words);
  std::vector<double> sums(numbers.size(), 0.0), others(numbers.size());
  for (size_t begin = 0; begin < all.size(); begin += words.size()) {
    std::memcpy(others.data(), all.data() + begin, numbers.size_bytes());
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += others[i];
  }
  return sums;
}

namespace {

std::vector<uint32_t> digest_words(const hash::Digest& digest) {
  std::vector<uint32_t> words;
  for (size_t i = 0; i < digest.hex.size(); i += 8)
    words.push_back(static_cast<uint32_t>(std::stoul(digest.hex.substr(i, 8), nullptr, 16)));
  return words;
}

std::span<const uint8_t> bytes_of(const void* data, size_t size) {
  return {static_cast<const uint8_t*>(data), size};
}

// Throws if the digests of some ranks are not that of rank 0.
void compare(const std::string& what, const std::vector<uint32_t>& all, size_t words) {
  std::string different;
  for (size_t rank = 1; rank * words < all.size(); ++rank)
    if (std::memcmp(all.data(), all.data() + rank * words, words * sizeof(uint32_t)) != 0)
      different += (different.empty() ? "" : ", ") + std::to_string(rank);
  if (!different.empty())
    fail(ErrorKind::kUserInput,
         "the processes do not have the same {}: rank {} differs from rank 0; all must be started "
         "with the same settings, model and data",
         what, different);
}

}  // namespace

void ProcessGroup::check_same(const std::string& what, const std::string& text) const {
  if (alone()) return;
  const std::vector<uint32_t> own =
      digest_words(hash::hash_bytes(hash::Algorithm::kSha256, bytes_of(text.data(), text.size())));
  compare(what, gather(own), own.size());
}

void ProcessGroup::check_same(const std::string& what, std::span<const mx::array> arrays) const {
  if (alone()) return;
  hash::Hasher hasher(hash::Algorithm::kSha256);
  for (const mx::array& array : arrays) {
    mx::array rows = mx::contiguous(array);
    rows.eval();
    hasher.update(bytes_of(rows.data<void>(), rows.nbytes()));
  }
  const std::vector<uint32_t> own = digest_words(hasher.finish());
  compare(what, gather(own), own.size());
}

}  // namespace toolkit::distributed
