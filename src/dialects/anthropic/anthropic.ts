/** The Anthropic dialect: the Messages API (platform.claude.com/docs/en/api), version 2023-06-01. */
import { readRateLimits } from "./rate-limits.ts";
import type { JsonObject } from "../../lib/json.ts";
import type { ClientDialect, Dialect, ModelInfo, OperationPath, TargetDialect } from "../contract.ts";
import { readUpstreamError } from "../upstream-error.ts";
import { decodeChatAnswer } from "./answer-decode.ts";
import { encodeChatAnswer } from "./answer-encode.ts";
import { decodeDisguisedError, encodeError, encodeStreamError } from "./errors.ts";
import { readUsage } from "./read-usage.ts";
import { decodeChatRequest } from "./request-decode.ts";
import { encodeChatRequest, encodeTokenCountRequest } from "./request-encode.ts";
import { createStreamDecoder } from "./stream-decode.ts";
import { createStreamEncoder } from "./stream-encode.ts";
import { createStreamWatch } from "./stream-watch.ts";

/** The protocol version of which Sluice speaks; a client's own `anthropic-version` comes before it. */
const VERSION = "2023-06-01";

const OPERATIONS: readonly OperationPath[] = [
  { operation: "chat", method: "POST", path: "/messages" },
  { operation: "count_tokens", method: "POST", path: "/messages/count_tokens" },
  { operation: "models.list", method: "GET", path: "/models" },
  { operation: "models.get", method: "GET", path: "/models/*" },
];

function encodeModel(model: ModelInfo): JsonObject {
  return {
    type: "model",
    id: model.id,
    display_name: model.id,
    created_at: new Date(model.created * 1000).toISOString().replace(".000Z", "Z"),
    // ours, the vendor has no such member
    ...(model.aliasOf === undefined ? undefined : { alias_of: model.aliasOf }),
  };
}

const client: ClientDialect = {
  operations: OPERATIONS,
  decodeChatRequest,
  encodeChatAnswer,
  createStreamEncoder,
  encodeError,
  encodeUpstreamError: encodeError,
  encodeStreamError,
  encodeModelList: (models) => ({
    data: models.map(encodeModel),
    has_more: false,
    first_id: models[0]?.id ?? null,
    last_id: models.at(-1)?.id ?? null,
  }),
  encodeModel,
  encodeTokenCount: (tokens) => ({ input_tokens: tokens }),
};

const target: TargetDialect = {
  path(operation, upstreamModel) {
    switch (operation) {
      case "chat":
        return "/messages";
      case "count_tokens":
        return "/messages/count_tokens";
      case "models.list":
        return "/models";
      case "models.get":
        return `/models/${encodeURIComponent(upstreamModel)}`;
      default:
        return null;
    }
  },
  credentialHeaders: (apiKey) => [...(apiKey === "" ? [] : ["x-api-key", apiKey]), "anthropic-version", VERSION],
  forwardedHeaders: ["anthropic-version", "anthropic-beta"],
  // its rate limits and organisation are the company's, not the client's
  returnedHeaders: ["request-id", "x-should-retry"],
  encodeChatRequest,
  encodeTokenCountRequest,
  decodeChatAnswer,
  createStreamDecoder,
  createStreamWatch,
  readUsage,
  decodeError: readUpstreamError,
  decodeDisguisedError,
  readRateLimits,
};

/** Anthropic's protocol, both sides of it. */
export const anthropic: Dialect = { name: "anthropic", client, target };
