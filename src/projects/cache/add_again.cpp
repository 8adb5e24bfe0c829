#include "projects/cache/add_again.h"

#include <nlohmann/json.hpp>

#include "projects/cache/command.h"

namespace toolkit::cache {

void add_again(const std::vector<model_store::ModelName>& models, const cli::Context& context) {
  for (const model_store::ModelName& name : models) {
    const cli::Command add = add_command();
    for (const Field& field : add.fields)
      if (field.name == "model") set_field(field, {name.uri()}, "model");
    cli::Context quiet_if_json = context;
    quiet_if_json.quiet = context.quiet || context.json;
    add.run(quiet_if_json);
  }
}

}  // namespace toolkit::cache
