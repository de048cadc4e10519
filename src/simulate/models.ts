/** The model lists of both dialects. */
import type { JsonObject } from "../lib/json.ts";

/** 2025-06-15, when every simulated model was made. */
const CREATED_SECONDS = 1_750_000_000;

export function encodeOpenaiModel(id: string): JsonObject {
  return { id, object: "model", created: CREATED_SECONDS, owned_by: "simulated" };
}

export function encodeOpenaiModels(ids: readonly string[]): JsonObject {
  return { object: "list", data: ids.map(encodeOpenaiModel) };
}

export function encodeAnthropicModel(id: string): JsonObject {
  return {
    type: "model",
    id,
    display_name: id,
    created_at: new Date(CREATED_SECONDS * 1000).toISOString(),
    deprecated_at: null,
    retires_at: null,
    lifecycle: "active",
    line: null,
    capabilities: null,
    max_input_tokens: null,
    max_tokens: null,
  };
}

export function encodeAnthropicModels(ids: readonly string[]): JsonObject {
  return {
    data: ids.map(encodeAnthropicModel),
    has_more: false,
    first_id: ids[0] ?? null,
    last_id: ids.at(-1) ?? null,
  };
}
