/**
 * What vendors and engines say when a request is wrong or they are, in their own shapes: status and code reach clients of
 * both dialects, so that they treat it as they would the vendor's own (19, 20).
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Cleanups } from "./harness.ts";
import { checkErrorShape } from "./error-shape.ts";
import { nameOf, PAIRS, startRawWorld, type RawWorld } from "./raw-world.ts";
import { says, wholeAnswer } from "./raw-upstream.ts";

let world: RawWorld;
const cleanups = new Cleanups();
before(async () => {
  world = await startRawWorld(cleanups, { retry: { attempts: 3 } });
});
after(async () => {
  await cleanups.run();
});

const openai = (message: string, code: string | number | null = null, type = "invalid_request_error"): object => ({
  error: { message, type, param: "messages", code },
});

/** How a prompt that is too long is refused, by those who refuse it. */
const OVERFLOWS: Readonly<Record<string, { readonly status: number; readonly body: object | string }>> = {
  OpenAI: {
    status: 400,
    body: openai(
      "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.",
      "context_length_exceeded",
    ),
  },
  "OpenAI, newer": {
    status: 400,
    body: openai(
      "Your input exceeds the context window of this model. Please adjust your input and try again.",
      "context_length_exceeded",
    ),
  },
  Anthropic: {
    status: 400,
    body: {
      type: "error",
      error: { type: "invalid_request_error", message: "prompt is too long: 262960 tokens > 200000 maximum" },
      request_id: "req_1",
    },
  },
  "Anthropic, by bytes": {
    status: 413,
    body: {
      type: "error",
      error: { type: "request_too_large", message: "Request exceeds the maximum size: prompt is too long" },
    },
  },
  vLLM: {
    status: 400,
    body: {
      object: "error",
      message: "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
      type: "BadRequestError",
      param: null,
      code: 400,
    },
  },
  "vLLM, newer": {
    status: 400,
    body: {
      error: {
        message: "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
        type: "BadRequestError",
        param: null,
        code: 400,
      },
    },
  },
  SGLang: {
    status: 400,
    body: {
      object: "error",
      message: "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
      type: "BadRequestError",
      param: null,
      code: 400,
    },
  },
  TGI: {
    status: 422,
    body: {
      error:
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 100 `max_new_tokens`",
      error_type: "validation",
    },
  },
  "llama.cpp": {
    status: 400,
    body: {
      error: {
        code: 400,
        message: "the request exceeds the available context size, try increasing it",
        type: "exceed_context_size_error",
        n_prompt_tokens: 5000,
        n_ctx: 4096,
      },
    },
  },
  Gemini: {
    status: 400,
    body: [
      {
        error: {
          code: 400,
          message: "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
          status: "INVALID_ARGUMENT",
        },
      },
    ],
  },
  Mistral: {
    status: 400,
    body: {
      object: "error",
      message: "Prompt contains 50000 tokens, too large for model with 32768 maximum context length",
      type: "invalid_request_error",
      param: null,
      code: null,
    },
  },
};

describe("a context that is too long", { concurrency: 6 }, () => {
  for (const [vendor, { status, body }] of Object.entries(OVERFLOWS)) {
    test(`in the words of ${vendor} (19)`, async () => {
      const checks = PAIRS.flatMap((pair) =>
        [true, false].map(async (stream) => {
          const result = await world.call(pair, stream, says(wholeAnswer(JSON.stringify(body), { status })));
          const { reading } = result;
          const what = `${nameOf(pair, stream)}: ${reading.body}`;
          assert.deepEqual([reading.status, reading.text, result.hits], [status, "", 1], what);
          assert.match(reading.error, /context|too long|token/, what);
          const entry = await result.entry();
          assert.deepEqual([entry.outcome, entry.status, entry.attempts], ["upstream_error", status, 1], what);
          // the words of a vendor of the client's dialect pass as they are
          if (Array.isArray(body) || !("error" in (body as object)) || pair.client !== pair.target) {
            checkErrorShape(pair.client, reading.body, what);
            assert.equal(reading.code, "context_length_exceeded", what);
          }
        }),
      );
      await Promise.all(checks);
    });
  }
});

/** What clients of Anthropic's dialect decide by, for each status; clients of OpenAI's decide by the status alone. */
const TYPES: readonly (readonly [status: number, anthropicType: string])[] = [
  [400, "invalid_request_error"],
  [404, "not_found_error"],
  [413, "request_too_large"],
  [422, "invalid_request_error"],
  [429, "rate_limit_error"],
  [500, "api_error"],
  [502, "api_error"],
  [503, "overloaded_error"],
  [529, "overloaded_error"],
];

describe("status and retryability", { concurrency: 6 }, () => {
  for (const [status, type] of TYPES) {
    test(`${status} of either vendor (19)`, async () => {
      const bodies = {
        // OpenAI calls nearly all of the caller's mistakes by one type
        openai: openai("no", null, status >= 500 ? "server_error" : "invalid_request_error"),
        anthropic: { type: "error", error: { type, message: "no" }, request_id: "req_1" },
      };
      for (const pair of PAIRS) {
        const script = says(
          wholeAnswer(JSON.stringify(bodies[pair.target]), { status, headers: ["retry-after-ms: 20"] }),
        );
        const { reading, hits } = await world.call(pair, false, script);
        const what = `${nameOf(pair, false)}: ${reading.body}`;
        assert.deepEqual([reading.status, reading.error], [status, "no"], what);
        assert.equal(hits, status === 429 || status >= 500 ? 4 : 1, what);
        if (pair.client === "anthropic") assert.match(reading.body, new RegExp(`"type": ?"${type}"`), what);
        assert.equal(reading.headers.get("retry-after-ms"), "20", what);
      }
    });
  }
});
