/** Errors in the words of OpenAI and of vLLM. */
import type { JsonObject } from "../../lib/json.ts";
import type { ContextTokens, ErrorWording } from "../surface.ts";
import { VendorError } from "../vendor-error.ts";

/** Type and code that OpenAI sends with a status. */
const WORDS: Readonly<Record<number, readonly [type: string, code: string | null]>> = {
  400: ["invalid_request_error", null],
  401: ["invalid_request_error", "invalid_api_key"],
  403: ["invalid_request_error", "unsupported_country_region_territory"],
  404: ["invalid_request_error", "model_not_found"],
  413: ["invalid_request_error", null],
  422: ["invalid_request_error", null],
  429: ["requests", "rate_limit_exceeded"],
  500: ["server_error", null],
  503: ["server_error", null],
};

/** The vendor's answers carry its own request id and a cookie of its load balancer. */
function answerHeaders(requestId: string): readonly string[] {
  return [
    "x-request-id",
    requestId,
    "openai-version",
    "2020-10-01",
    "openai-processing-ms",
    "1",
    "set-cookie",
    "__simulated=1; path=/; HttpOnly",
  ];
}

export const openaiErrors: ErrorWording = {
  answerHeaders,

  encodeError(error: VendorError): JsonObject {
    const [type, code] =
      WORDS[error.status] ?? (error.status >= 500 ? ["server_error", null] : ["invalid_request_error", null]);
    const { details } = error;
    // vLLM sends the status as a number where OpenAI sends a word.
    const wordedCode = details.type === "BadRequestError" ? error.status : (details.code ?? code);
    return {
      error: {
        message: error.message,
        type: details.type ?? type,
        param: details.param ?? null,
        code: wordedCode,
      },
    };
  },

  encodeErrorEvent(error: VendorError, requestId: string): string {
    return `data: ${JSON.stringify(openaiErrors.encodeError(error, requestId))}\n\n`;
  },

  contextOverflow(tokens: ContextTokens, shape: string): VendorError {
    if (shape === "vllm") {
      return new VendorError(
        400,
        `You passed ${tokens.prompt} input tokens and requested ${tokens.answer} output tokens. However, the model's context length is only ${tokens.limit} tokens. Please reduce the length of the input prompt.`,
        { type: "BadRequestError", param: "input_tokens" },
      );
    }
    return new VendorError(
      400,
      `This model's maximum context length is ${tokens.limit} tokens. However, your messages resulted in ${tokens.prompt} tokens. Please reduce the length of the messages.`,
      { type: "invalid_request_error", param: "messages", code: "context_length_exceeded" },
    );
  },
};
