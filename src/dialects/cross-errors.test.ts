/** Errors of vendors through every pair of target dialect and client dialect, as answers and inside streams. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SluiceError } from "../lib/errors.ts";
import type { JsonObject } from "../lib/json.ts";
import { DIALECTS } from "./builtin.ts";
import type { EncodedAnswer } from "./contract.ts";
import { CONTEXT, eachEvent } from "./cross-bridge.test.ts";
import { CASES, member } from "./cross-vendors.test.ts";
import type { ChatEvent, DialectName } from "./form.ts";

const NAMES: readonly DialectName[] = ["openai", "anthropic"];

const ERRORS = {
  openai: {
    overflow:
      '{"error":{"message":"This model\'s maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}',
    busy: '{"error":{"message":"Rate limit reached","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}',
  },
  anthropic: {
    overflow:
      '{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 250000 tokens > 200000 maximum"},"request_id":"req_1"}',
    busy: '{"type":"error","error":{"type":"rate_limit_error","message":"Slow down","details":{"error_code":"rate_limit_exceeded"}}}',
  },
} as const;

/** Where each dialect has an error's code. */
const codeOf = (client: DialectName, body: JsonObject): unknown =>
  client === "openai" ? member(body, "error", "code") : member(body, "error", "details", "error_code");

for (const target of NAMES) {
  for (const client of NAMES) {
    test(`acceptance 19: ${target} to ${client}, an error keeps status, code and words`, () => {
      const read = (status: number, body: string): EncodedAnswer =>
        DIALECTS[client].client.encodeUpstreamError(
          DIALECTS[target].target.decodeError(status, Buffer.from(body)),
          "req-1",
        );
      const overflow = read(400, ERRORS[target].overflow);
      assert.equal(overflow.status, 400);
      assert.equal(codeOf(client, overflow.body), "context_length_exceeded");
      assert.equal(member(overflow.body, "error", "type"), "invalid_request_error");
      assert.match(String(member(overflow.body, "error", "message")), /maximum/);
      const busy = read(429, ERRORS[target].busy);
      assert.equal(busy.status, 429);
      assert.equal(codeOf(client, busy.body), "rate_limit_exceeded");
      assert.equal(member(busy.body, "error", "type"), "rate_limit_error");
    });

    test(`${target} to ${client}, an error inside the stream is one to the official SDK`, async () => {
      const vendor = CASES["text"]?.vendors[target]?.stream ?? "";
      const error =
        target === "openai" ? `data: ${ERRORS.openai.busy}\n\n` : `event: error\ndata: ${ERRORS.anthropic.busy}\n\n`;
      const beginning = vendor.split("\n\n").slice(0, 4).join("\n\n");
      const decoder = DIALECTS[target].target.createStreamDecoder();
      const encoder = DIALECTS[client].client.createStreamEncoder(CONTEXT);
      let out = "";
      eachEvent(`${beginning}\n\n${error}`, (event, data) => {
        const events: ChatEvent[] = [];
        decoder.decode(event, data, events);
        for (const decoded of events) out += encoder.encode(decoded);
      });
      assert.equal(decoder.complete, false);
      const last = out.trimEnd().split("\n\n").at(-1) ?? "";
      assert.match(
        last,
        client === "openai"
          ? /^data: \{"error":\{/
          : /^event: error\ndata: \{"type":"error","error":\{"type":"rate_limit_error"/,
      );
      assert.ok(!out.includes("[DONE]") && !out.includes("message_stop"), "never a clean-looking end");
    });
  }
}

test("an error of Sluice's own ends a stream in each dialect", () => {
  const error = new SluiceError("idle_timeout", "The model stopped answering; try again.");
  for (const client of NAMES) {
    const text = DIALECTS[client].client.encodeStreamError(error, "req-1");
    eachEvent(text, (_, data) => {
      assert.equal(member(JSON.parse(data), "error", "message"), "The model stopped answering; try again.");
    });
  }
});
