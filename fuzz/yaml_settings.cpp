#include "core/base/fields.h"
#include "fuzz/target.h"

/// A YAML file with the settings of a command.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  return fuzz::expect_no_crash([&] {
    bool flag = false;
    int steps = 0;
    double rate = 0;
    std::string model;
    std::vector<std::string> targets;
    const Fields fields = {
        {.name = "verbose", .target = &flag, .help = ""},
        {.name = "steps", .target = &steps, .help = "", .minimum = 1, .maximum = 100},
        {.name = "learning-rate", .target = &rate, .help = ""},
        {.name = "model", .target = &model, .help = ""},
        {.name = "targets", .target = &targets, .help = ""}};
    read_yaml(fuzz::as_file(data, size, "settings.yaml").string(), fields, {"model"});
    check_fields(fields);
    fields_to_json(fields);
  });
}
