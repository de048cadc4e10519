/** Lists of models (GET /models, GET /models/{id}). */
import type { JsonObject } from "../../lib/json.ts";
import type { ModelInfo } from "../contract.ts";

/** One model. */
export function encodeModel(model: ModelInfo): JsonObject {
  return { id: model.id, object: "model", created: model.created, owned_by: model.ownedBy };
}

/** All of them. */
export function encodeModelList(models: readonly ModelInfo[]): JsonObject {
  return { object: "list", data: models.map(encodeModel) };
}
