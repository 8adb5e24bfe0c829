#include "core/checkpoint/write/hf_writer.h"

#include <unistd.h>

#include <map>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/checkpoint/safetensors.h"
#include "core/checkpoint/weight_form.h"
#include "core/checkpoint/write/hf_companions.h"
#include "core/files/disk_space.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;

/// The tensors of one module.
struct Unit {
  std::string module;
  WeightForm form;
  std::vector<PlannedTensor> tensors;

  uint64_t size_bytes() const {
    uint64_t bytes = 0;
    for (const PlannedTensor& tensor : tensors) bytes += tensor.size_bytes();
    return bytes;
  }
};

using Shard = std::vector<Unit>;

Unit plan_unit(const ModelFiles& model, const std::string& module) {
  Unit unit{.module = module, .form = form_of(model, module), .tensors = {}};
  const WeightForm& form = unit.form;
  if (form.packed()) {
    const mx::Shape packed = {form.shape[0], form.shape[1] / 32 * form.bits};
    const mx::Shape groups = {form.shape[0], form.shape[1] / form.group_size};
    unit.tensors = {{module + ".weight", mx::uint32, packed},
                    {module + ".scales", form.dtype, groups},
                    {module + ".biases", form.dtype, groups}};
  } else {
    unit.tensors = {{module + ".weight", form.dtype, form.shape}};
  }
  if (const auto bias = model.bias(module))
    unit.tensors.push_back({module + ".bias", bias->dtype(), bias->shape()});
  return unit;
}

std::vector<mx::array> arrays_of(const ModelFiles& model, const Unit& unit) {
  const tensor::Weight weight = model.weight(unit.module);
  std::vector<mx::array> arrays = {mx::contiguous(weight.data)};
  if (weight.quantized()) {
    arrays.push_back(mx::contiguous(mx::astype(*weight.scales, unit.form.dtype)));
    arrays.push_back(mx::contiguous(mx::astype(*weight.biases, unit.form.dtype)));
  }
  if (const auto bias = model.bias(unit.module)) arrays.push_back(mx::contiguous(*bias));
  mx::eval(arrays);
  return arrays;
}

class Writer {
 public:
  Writer(const ModelFiles& model, const HfSaveOptions& options) : model_(model), options_(options) {
    Json config = parse_json(model.config_json(), model.path().string());
    const bool tied = config.value("tie_word_embeddings", Json(false)) == true;
    for (const std::string& module : model.modules()) {
      if (tied && module == "lm_head") continue;
      Unit unit = plan_unit(model, module);
      if (shards_.empty() || shard_bytes_ + unit.size_bytes() > options.shard_bytes) {
        shards_.emplace_back();
        shard_bytes_ = 0;
      }
      shard_bytes_ += unit.size_bytes();
      total_ += unit.size_bytes();
      for (const PlannedTensor& tensor : unit.tensors) packed_ |= tensor.name.ends_with(".scales");
      shards_.back().push_back(std::move(unit));
    }
    config_ = with_forms(std::move(config));
  }

  uint64_t total_bytes() const { return total_; }

  void write(const fs::path& folder) {
    Json places = Json::object();
    for (size_t i = 0; i < shards_.size(); ++i) {
      const std::string name = shards_.size() == 1 ? "model.safetensors"
                                                   : fmt::format("model-{:05}-of-{:05}.safetensors",
                                                                 i + 1, shards_.size());
      write_shard(folder / name, shards_[i]);
      for (const Unit& unit : shards_[i])
        for (const PlannedTensor& tensor : unit.tensors) places[tensor.name] = name;
    }
    if (shards_.size() > 1)
      write_file_atomically(
          folder / "model.safetensors.index.json",
          Json{{"metadata", {{"total_size", total_}}}, {"weight_map", places}}.dump(2) + "\n");
    save_hf_companions(folder, model_);
    write_file_atomically(folder / "config.json", config_.dump(2) + "\n");
  }

 private:
  /// config.json says what the weights are: their type, and the packing of each module.
  Json with_forms(Json config) const {
    for (const char* key : {"quantization", "quantization_config", "dtype", "torch_dtype"})
      config.erase(key);
    std::map<std::pair<int, int>, int> counts;  // (bits, group size)
    for (const Shard& shard : shards_)
      for (const Unit& unit : shard) {
        if (unit.form.packed()) ++counts[{unit.form.bits, unit.form.group_size}];
        if (unit.form.shape.size() == 2 && !config.contains("torch_dtype"))
          config["torch_dtype"] = unit.form.dtype == mx::float32   ? "float32"
                                  : unit.form.dtype == mx::float16 ? "float16"
                                                                   : "bfloat16";
      }
    if (counts.empty()) return config;
    auto most = counts.begin();
    for (auto at = counts.begin(); at != counts.end(); ++at)
      if (at->second > most->second) most = at;
    const auto [bits, group_size] = most->first;
    Json settings = {{"bits", bits}, {"group_size", group_size}, {"mode", "affine"}};
    for (const Shard& shard : shards_)
      for (const Unit& unit : shard) {
        const WeightForm& form = unit.form;
        if (!form.packed() && form.shape.size() == 2)
          settings[unit.module] = false;
        else if (form.packed() && std::pair(form.bits, form.group_size) != most->first)
          settings[unit.module] = {{"bits", form.bits}, {"group_size", form.group_size}};
      }
    config["quantization"] = config["quantization_config"] = settings;
    return config;
  }

  void write_shard(const fs::path& path, const Shard& shard) {
    std::vector<PlannedTensor> tensors;
    for (const Unit& unit : shard)
      tensors.insert(tensors.end(), unit.tensors.begin(), unit.tensors.end());
    const std::string start = safetensors_start(tensors, {{"format", packed_ ? "mlx" : "pt"}});
    write_file_atomically(path, [&](const auto& append) {
      append(start);
      for (const Unit& unit : shard) {
        const std::vector<mx::array> arrays = arrays_of(model_, unit);
        for (size_t i = 0; i < unit.tensors.size(); ++i) {
          const PlannedTensor& planned = unit.tensors[i];
          if (i >= arrays.size() || arrays[i].nbytes() != planned.size_bytes() ||
              arrays[i].dtype() != planned.dtype)
            fail(ErrorKind::kInternal, "tensor '{}' is not what was planned", planned.name);
          append({arrays[i].data<char>(), arrays[i].nbytes()});
          done_ += arrays[i].nbytes();
        }
        if (options_.progress) options_.progress(done_, total_);
      }
    });
  }

  const ModelFiles& model_;
  const HfSaveOptions& options_;
  Json config_;
  std::vector<Shard> shards_;
  uint64_t shard_bytes_ = 0, total_ = 0, done_ = 0;
  bool packed_ = false;
};

/// A folder under a name of its own beside the one that is wanted; gone unless renamed.
class UnfinishedFolder {
 public:
  explicit UnfinishedFolder(const fs::path& target)
      : path_(target.parent_path() /
              fmt::format(".{}.part-{}", target.filename().string(), ::getpid())) {
    std::error_code error;
    fs::remove_all(path_, error);
    fs::create_directories(path_, error);
    if (error)
      fail(ErrorKind::kIo, "{}: cannot create the folder: {}", path_.string(), error.message());
  }
  ~UnfinishedFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  UnfinishedFolder(const UnfinishedFolder&) = delete;
  UnfinishedFolder& operator=(const UnfinishedFolder&) = delete;

  const fs::path& path() const { return path_; }
  void become(const fs::path& target) {
    std::error_code error;
    fs::rename(path_, target, error);  // onto nothing, or onto an empty folder
    if (error)
      fail(ErrorKind::kIo, "{}: cannot give the folder its name: {}", target.string(),
           error.message());
  }

 private:
  fs::path path_;
};

}  // namespace

void save_hf_folder(const fs::path& folder, const ModelFiles& model, const HfSaveOptions& options) {
  const fs::path target = fs::absolute(folder.has_filename() ? folder : folder.parent_path());
  std::error_code error;
  if (fs::exists(target, error) &&
      !(fs::is_directory(target, error) && fs::is_empty(target, error)))
    fail(ErrorKind::kUserInput,
         "{}: something is there already; give the name of a new or empty folder", folder.string());
  Writer writer(model, options);
  files::require_disk_space(target, writer.total_bytes());
  UnfinishedFolder unfinished(target);
  writer.write(unfinished.path());
  unfinished.become(target);
}

}  // namespace toolkit::checkpoint
