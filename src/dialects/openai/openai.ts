/** The OpenAI dialect: chat completions and what goes with them (platform.openai.com/docs/api-reference), as vendors and engines speak it. */
import { readRateLimits } from "./rate-limits.ts";
import type { ClientDialect, Dialect, OperationPath, TargetDialect } from "../contract.ts";
import { decodeChatAnswer } from "./answer-decode.ts";
import { encodeChatAnswer } from "./answer-encode.ts";
import { decodeDisguisedError, decodeError, encodeError, encodeStreamError } from "./errors.ts";
import { encodeModel, encodeModelList } from "./models.ts";
import { decodeChatRequest } from "./request-decode.ts";
import { encodeChatRequest } from "./request-encode.ts";
import { OpenaiStreamDecoder } from "./stream-decode.ts";
import { OpenaiStreamEncoder } from "./stream-encode.ts";
import { OpenaiStreamWatch } from "./stream-watch.ts";
import { readUsage } from "./usage.ts";

const OPERATIONS: readonly OperationPath[] = [
  { operation: "chat", method: "POST", path: "/chat/completions" },
  { operation: "completions", method: "POST", path: "/completions" },
  { operation: "embeddings", method: "POST", path: "/embeddings" },
  { operation: "models.list", method: "GET", path: "/models" },
  { operation: "models.get", method: "GET", path: "/models/*" },
];

const client: ClientDialect = {
  operations: OPERATIONS,
  decodeChatRequest,
  encodeChatAnswer,
  createStreamEncoder: (context) => new OpenaiStreamEncoder(context),
  encodeError,
  encodeUpstreamError: encodeError,
  encodeStreamError,
  encodeModelList,
  encodeModel,
  // as the Responses API has it, which alone of OpenAI's counts tokens
  encodeTokenCount: (tokens) => ({ object: "response.input_tokens", input_tokens: tokens }),
};

const target: TargetDialect = {
  path(operation, upstreamModel) {
    switch (operation) {
      case "chat":
        return "/chat/completions";
      case "completions":
        return "/completions";
      case "embeddings":
        return "/embeddings";
      case "models.list":
        return "/models";
      case "models.get":
        return `/models/${encodeURIComponent(upstreamModel)}`;
      case "count_tokens":
        return null;
    }
  },
  credentialHeaders: (apiKey) => (apiKey === "" ? [] : ["authorization", `Bearer ${apiKey}`]),
  // organisation and project belong to the credential, which is the company's
  forwardedHeaders: ["openai-beta", "x-client-request-id"],
  returnedHeaders: ["openai-processing-ms", "openai-version", "x-should-retry"],
  encodeChatRequest,
  decodeChatAnswer,
  createStreamDecoder: () => new OpenaiStreamDecoder(),
  createStreamWatch: () => new OpenaiStreamWatch(),
  readUsage,
  decodeError,
  decodeDisguisedError,
  readRateLimits,
};

/** OpenAI's protocol, both sides of it. */
export const openai: Dialect = { name: "openai", client, target };
