#include "core/tensor/cpu/embedding_op.h"

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/tensor/cpu/optimizer_op.h"
#include "core/tensor/cpu/primitive.h"
#include "core/tensor/cpu/thread_pool.h"
#include "mlx/ops.h"

namespace toolkit::tensor::cpu {

namespace {

constexpr int64_t kRowsPerTask = 8;

/// Where the rows of a table lie.
struct TableView {
  const void *data, *scales, *biases;
  int64_t rows, columns;
  int group_size, bits;
  mx::Dtype type;  // of the dense data, or of scales and biases
};

float element(const void* data, mx::Dtype type, int64_t index) {
  if (type == mx::float32) return static_cast<const float*>(data)[index];
  if (type == mx::float16)
    return static_cast<float>(static_cast<const mx::float16_t*>(data)[index]);
  return static_cast<float>(static_cast<const mx::bfloat16_t*>(data)[index]);
}

void read_quantized_row(const TableView& table, int64_t row, float* out) {
  const auto* words =
      static_cast<const uint32_t*>(table.data) + row * table.columns * table.bits / 32;
  const int per_word = 32 / table.bits;
  const uint32_t mask = (1u << table.bits) - 1;
  const int64_t groups = table.columns / table.group_size;
  for (int64_t group = 0; group < groups; ++group) {
    const float scale = element(table.scales, table.type, row * groups + group);
    const float bias = element(table.biases, table.type, row * groups + group);
    for (int i = 0; i < table.group_size / per_word; ++i, ++words) {
      for (int j = 0; j < per_word; ++j)
        *out++ = scale * static_cast<float>((*words >> (j * table.bits)) & mask) + bias;
    }
  }
}

void read_row(const TableView& table, int64_t row, float* out) {
  if (table.bits) return read_quantized_row(table, row, out);
  if (table.type == mx::float32) {
    std::memcpy(out, static_cast<const float*>(table.data) + row * table.columns,
                static_cast<size_t>(table.columns) * sizeof(float));
    return;
  }
  for (int64_t i = 0; i < table.columns; ++i)
    out[i] = element(table.data, table.type, row * table.columns + i);
}

void check_ids(const char* op, const int32_t* ids, int64_t count, int64_t rows) {
  for (int64_t i = 0; i < count; ++i)
    if (ids[i] < 0 || ids[i] >= rows)
      fail(ErrorKind::kInternal, "{}: index {} at place {} is outside the {} rows", op, ids[i], i,
           rows);
}

/// {dout (.., C), ids (..)} -> {table gradient (rows, C)}: rows of dout added at their ids.
class ScatterRows : public CpuPrimitive {
 public:
  const char* name() const override { return "ScatterRows"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const float* from = in_rows(inputs[0], stream()).data<float>();
    const int32_t* ids = in_rows(inputs[1], stream()).data<int32_t>();
    allocate(outputs[0]);
    schedule(stream(), [=, to = outputs[0].data<float>(), rows = int64_t{outputs[0].shape(0)},
                        columns = int64_t{outputs[0].shape(1)},
                        count = static_cast<int64_t>(inputs[1].size())] {
      check_ids("embedding gradient", ids, count, rows);
      parallel_for(rows, 64, [&](int64_t begin, int64_t end, int) {
        std::memset(to + begin * columns, 0,
                    static_cast<size_t>((end - begin) * columns) * sizeof(float));
        for (int64_t i = 0; i < count; ++i) {
          if (ids[i] < begin || ids[i] >= end) continue;
          for (int64_t j = 0; j < columns; ++j) to[ids[i] * columns + j] += from[i * columns + j];
        }
      });
    });
  }
};

/// {sum (rows, C), dout (.., C), ids (..)} -> {sum with the rows of dout added at their ids}
class AddRows : public CpuPrimitive {
 public:
  const char* name() const override { return "AddRows"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const float* sum = in_rows(inputs[0], stream()).data<float>();
    const float* from = in_rows(inputs[1], stream()).data<float>();
    const int32_t* ids = in_rows(inputs[2], stream()).data<int32_t>();
    allocate_or_reuse(outputs[0], inputs[0]);
    schedule(stream(), [=, to = outputs[0].data<float>(), rows = int64_t{outputs[0].shape(0)},
                        columns = int64_t{outputs[0].shape(1)},
                        count = static_cast<int64_t>(inputs[2].size())] {
      check_ids("embedding gradient", ids, count, rows);
      if (to != sum)
        parallel_for(rows, 64, [&](int64_t begin, int64_t end, int) {
          std::copy_n(sum + begin * columns, (end - begin) * columns, to + begin * columns);
        });
      parallel_for(columns, 64, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = 0; i < count; ++i)
          for (int64_t j = begin; j < end; ++j) to[ids[i] * columns + j] += from[i * columns + j];
      });
    });
  }
};

/// What a table's uses add to its gradient, summed up.
mx::array sum_of_gradients(const std::vector<mx::array>& gradients) {
  const auto is_scatter = [](const mx::array& gradient) {
    return gradient.has_primitive() && dynamic_cast<const ScatterRows*>(&gradient.primitive());
  };
  std::vector<mx::array> ordered = gradients;  // whole ones first
  std::stable_partition(ordered.begin(), ordered.end(),
                        [&](const mx::array& gradient) { return !is_scatter(gradient); });
  mx::array sum = ordered[0];
  for (size_t i = 1; i < ordered.size(); ++i) {
    if (is_scatter(ordered[i])) {
      const std::vector<mx::array>& of = ordered[i].inputs();
      sum = mx::array(sum.shape(), mx::float32, std::make_shared<AddRows>(), {sum, of[0], of[1]});
    } else {
      sum = add_gradients({sum}, {&ordered[i], 1})[0];
    }
  }
  return sum;
}

/// {table} -> {the same memory, as often as there are outputs}
class SharedTable : public CpuPrimitive {
 public:
  const char* name() const override { return "SharedTable"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    for (mx::array& output : outputs) output.copy_shared_buffer(inputs[0]);
  }

  std::vector<mx::array> vjp(const std::vector<mx::array>&,
                             const std::vector<mx::array>& cotangents, const std::vector<int>&,
                             const std::vector<mx::array>&) override {
    return {sum_of_gradients(cotangents)};
  }
};

/// {ids, data, [scales, biases]} -> {rows of the table as f32}
class TakeRows : public CpuPrimitive {
 public:
  TakeRows(int group_size, int bits) : group_size_(group_size), bits_(bits) {}
  const char* name() const override { return "TakeRows"; }
  bool is_equivalent(const mx::Primitive& other) const override {
    const auto& o = static_cast<const TakeRows&>(other);
    return o.group_size_ == group_size_ && o.bits_ == bits_;
  }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const int32_t* ids = in_rows(inputs[0], stream()).data<int32_t>();
    const bool quantized = inputs.size() > 2;
    const TableView table{.data = in_rows(inputs[1], stream()).data<void>(),
                          .scales = quantized ? in_rows(inputs[2], stream()).data<void>() : nullptr,
                          .biases = quantized ? in_rows(inputs[3], stream()).data<void>() : nullptr,
                          .rows = inputs[1].shape(0),
                          .columns = outputs[0].shape(-1),
                          .group_size = group_size_,
                          .bits = bits_,
                          .type = inputs[quantized ? 2 : 1].dtype()};
    allocate(outputs[0]);
    schedule(stream(),
             [=, out = outputs[0].data<float>(), count = static_cast<int64_t>(inputs[0].size())] {
               check_ids("embedding", ids, count, table.rows);
               parallel_for(count, kRowsPerTask, [&](int64_t begin, int64_t end, int) {
                 for (int64_t i = begin; i < end; ++i)
                   read_row(table, ids[i], out + i * table.columns);
               });
             });
  }

  std::vector<mx::array> vjp(const std::vector<mx::array>& primals,
                             const std::vector<mx::array>& cotangents,
                             const std::vector<int>& argnums,
                             const std::vector<mx::array>&) override {
    std::vector<mx::array> gradients;
    for (const int argument : argnums) {
      if (argument != 1 || bits_)
        fail(ErrorKind::kInternal, "embedding: only a dense table has a gradient");
      const mx::array rows(primals[1].shape(), mx::float32, std::make_shared<ScatterRows>(),
                           {cotangents[0], primals[0]});
      gradients.push_back(mx::astype(rows, primals[1].dtype()));
    }
    return gradients;
  }

 private:
  int group_size_, bits_;
};

}  // namespace

bool can_embed(const Weight& table) {
  const mx::Dtype type = (table.quantized() ? *table.scales : table.data).dtype();
  const bool floats = type == mx::float32 || type == mx::float16 || type == mx::bfloat16;
  return floats && (!table.quantized() || ((table.bits == 4 || table.bits == 8) && table.biases));
}

void read_table_row(const Weight& table, int32_t id, float* out) {
  const bool quantized = table.quantized();
  const TableView view{.data = table.data.data<void>(),
                       .scales = quantized ? table.scales->data<void>() : nullptr,
                       .biases = quantized ? table.biases->data<void>() : nullptr,
                       .rows = table.rows(),
                       .columns = table.columns(),
                       .group_size = table.group_size,
                       .bits = table.bits,
                       .type = (quantized ? *table.scales : table.data).dtype()};
  check_ids("embedding", &id, 1, view.rows);
  read_row(view, id, out);
}

mx::array embedding(const Weight& table, const mx::array& ids) {
  std::vector<mx::array> inputs = {ids, table.data};
  if (table.quantized()) inputs.insert(inputs.end(), {*table.scales, *table.biases});
  mx::Shape shape = ids.shape();
  shape.push_back(table.columns());
  return mx::array(shape, mx::float32, std::make_shared<TakeRows>(table.group_size, table.bits),
                   inputs);
}

std::vector<mx::array> shared_table(const mx::array& table, int count) {
  const auto uses = static_cast<size_t>(count);
  return mx::array::make_arrays(std::vector<mx::Shape>(uses, table.shape()),
                                std::vector<mx::Dtype>(uses, mx::float32),
                                std::make_shared<SharedTable>(), {table});
}

mx::array gather_rows(const mx::array& x, const mx::array& rows) {
  return mx::array({rows.shape(0), x.shape(1)}, mx::float32, std::make_shared<TakeRows>(0, 0),
                   {rows, x});
}

}  // namespace toolkit::tensor::cpu
