/**
 * Answers through every pair of target dialect and client dialect, whole and streamed: what a vendor says, the
 * client's official SDK reads.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JsonObject } from "../lib/json.ts";
import { DIALECTS } from "./builtin.ts";
import { sdkAnswer, translate, whole } from "./cross-bridge.test.ts";
import {
  anthropicVendor,
  callDelta,
  callStart,
  CASES,
  inputDelta,
  member,
  openaiVendor,
  SIGNATURE,
  STOPS,
  TELL,
  textBlock,
  textDelta,
} from "./cross-vendors.test.ts";
import type { DialectName } from "./form.ts";

const NAMES: readonly DialectName[] = ["openai", "anthropic"];

for (const [name, { told, stop, vendors }] of Object.entries(CASES)) {
  for (const target of NAMES) {
    const vendor = vendors[target];
    if (vendor === undefined) continue;
    for (const client of NAMES) {
      // to a reader of the vendor's own dialect the vendor's model is the user's too
      const expected = { ...told, model: "user-model", stop: STOPS[stop]?.[client] };

      test(`${target} to ${client}, whole: ${name}`, () => {
        assert.deepEqual(TELL[client](whole(target, client, vendor.whole)), expected);
      });

      test(`${target} to ${client}, streamed, as the official SDK reads it: ${name}`, async () => {
        assert.deepEqual(TELL[client](await sdkAnswer(client, translate(target, client, vendor.stream))), expected);
      });
    }
  }
}

const THINKING = [
  { type: "thinking", thinking: "hm\n", signature: SIGNATURE },
  { type: "redacted_thinking", data: "EmwK" },
  { type: "text", text: "I look." },
  { type: "tool_use", id: "c1", name: "f", input: { a: 1 } },
];

/** The next request of a client that sends an answer back with the tool's result. */
function nextTurn(client: DialectName, answer: unknown): JsonObject {
  const question = { role: "user", content: "q" };
  const messages =
    client === "openai"
      ? [question, member(answer, "choices", 0, "message") ?? null, { role: "tool", tool_call_id: "c1", content: "1" }]
      : [
          question,
          { role: "assistant", content: member(answer, "content") ?? null },
          { role: "user", content: [{ type: "tool_result", tool_use_id: "c1", content: "1" }] },
        ];
  return { model: "user-model", max_tokens: 9, messages };
}

for (const client of NAMES) {
  const vendor = anthropicVendor(THINKING, "tool_use", [
    [
      { type: "thinking", thinking: "", signature: "" },
      { type: "thinking_delta", thinking: "hm\n" },
      { type: "signature_delta", signature: SIGNATURE },
    ],
    [{ type: "redacted_thinking", data: "EmwK" }],
    [textBlock, textDelta("I look.")],
    [{ type: "tool_use", id: "c1", name: "f", input: {} }, inputDelta('{"a":1}')],
  ]);
  const answers: Readonly<Record<string, () => Promise<unknown>>> = {
    whole: () => Promise.resolve(whole("anthropic", client, vendor.whole)),
    streamed: () => sdkAnswer(client, translate("anthropic", client, vendor.stream)),
  };

  for (const [how, answer] of Object.entries(answers)) {
    test(`acceptance 16: thinking goes back byte-identical through an ${client} client, ${how}`, async () => {
      const request = DIALECTS[client].client.decodeChatRequest(nextTurn(client, await answer()));
      request.model = "claude-opus-4-8";
      const { body, dropped } = DIALECTS.anthropic.target.encodeChatRequest(request, false);
      assert.deepEqual(member(body, "messages", 1, "content"), THINKING);
      assert.deepEqual(dropped, []);
    });
  }
}

test("acceptance 17: however the pieces of parallel tool calls interleave, every client gets each call whole", async () => {
  const argument = fc.dictionary(fc.string({ maxLength: 5 }), fc.oneof(fc.string(), fc.integer()), { maxKeys: 3 });
  const plan = fc.record({
    calls: fc.array(argument, { minLength: 1, maxLength: 4 }),
    picks: fc.array(fc.nat(), { maxLength: 60 }),
  });
  await fc.assert(
    fc.asyncProperty(plan, fc.constantFrom(...NAMES), async ({ calls, picks }, client) => {
      const texts = calls.map((call) => JSON.stringify(call));
      const sent = calls.map(() => -1);
      const deltas: JsonObject[] = [];
      // a call's first piece names it, later ones are one to three characters of its arguments
      const step = (index: number): void => {
        const [text = "", at = 0] = [texts[index], sent[index]];
        deltas.push(
          at === -1 ? callStart(index, `c${index}`, "f") : callDelta(index, text.slice(at, at + 1 + (at % 3))),
        );
        sent[index] = at === -1 ? 0 : at + 1 + (at % 3);
      };
      const open = (): number[] =>
        calls.map((_, index) => index).filter((index) => (sent[index] ?? 0) < (texts[index] ?? "").length);
      for (const pick of picks) {
        const left = open();
        const index = left[pick % Math.max(1, left.length)];
        if (index !== undefined && calls.slice(0, index).every((_, before) => sent[before] !== -1)) step(index);
      }
      for (let [index] = open(); index !== undefined; [index] = open()) step(index);
      const { stream } = openaiVendor({}, "tool_calls", deltas);
      const told = TELL[client](await sdkAnswer(client, translate("openai", client, stream)));
      assert.deepEqual(
        told.calls,
        texts.map((text, index) => `c${index} f ${text}`),
      );
    }),
    { numRuns: 150 },
  );
});
