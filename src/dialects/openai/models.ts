/** Lists of models (GET /models, GET /models/{id}). */
import type { JsonObject } from "../../lib/json.ts";
import type { ModelInfo } from "../contract.ts";

/** One model; `alias_of` is ours, the vendor has none. */
export function encodeModel({ id, created, ownedBy, aliasOf }: ModelInfo): JsonObject {
  const alias = aliasOf === undefined ? undefined : { alias_of: aliasOf };
  return { id, object: "model", created, owned_by: ownedBy, ...alias };
}

/** All of them. */
export function encodeModelList(models: readonly ModelInfo[]): JsonObject {
  return { object: "list", data: models.map(encodeModel) };
}
