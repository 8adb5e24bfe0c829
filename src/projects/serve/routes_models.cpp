#include "projects/serve/api_error.h"
#include "projects/serve/routes.h"

namespace toolkit::serve {

namespace {

Json model_json(const ServedModel& model) {
  Json json = {{"id", model.name},
               {"object", "model"},
               {"created", model.created},
               {"owned_by", "mlx-toolkit"}};
  if (!model.adapter.empty()) json["parent"] = model.base;
  return json;
}

void list_models(const Call& call) {
  Json data = Json::array();
  for (const ServedModel& model : call.service.names.list()) data.push_back(model_json(model));
  respond_json(call, {{"object", "list"}, {"data", data}});
}

void show_model(const Call& call) {
  respond_json(call, model_json(call.service.names.find(call.rest)));
}

void delete_model(const Call& call) {
  const ServedModel model = call.service.names.find(call.rest);
  if (model.origin != ServedModel::Origin::kFineTuned)
    throw ApiError(403, "only models that were fine-tuned here can be deleted", "model");
  call.service.pool.unload(model);
  call.service.remove_fine_tuned(model);
  respond_json(call, {{"id", model.name}, {"object", "model"}, {"deleted", true}});
}

}  // namespace

void add_models_routes(std::vector<Route>& routes) {
  routes.push_back({"GET", "/v1/models", list_models});
  routes.push_back({"GET", "/v1/models/{name...}", show_model});
  routes.push_back({"DELETE", "/v1/models/{name...}", delete_model});
}

}  // namespace toolkit::serve
