/** What the access log says of requests: one entry each, with the tokens that the client saw in its answer. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test, { after, before } from "node:test";
import type { UsageEntry } from "../src/ledger/entry.ts";
import { Cleanups } from "./harness.ts";
import { MODELS, startWorld, TARGETS, type TargetName, type World } from "./world.ts";

let world: World;
const cleanups = new Cleanups();
before(async () => {
  world = await startWorld(cleanups);
});
after(async () => {
  await cleanups.run();
});

/** Acceptance 13: a long prompt, most of it cached. */
const COUNTS = "/simulate promptTokens=262960&cachedTokens=257955&completionTokens=1744\nhello";
const MESSAGES = [{ role: "user" as const, content: COUNTS }];

/** The token counts of an entry. */
function tokens(entry: UsageEntry): object {
  const { promptTokens, cachedTokens, completionTokens, tokensEstimated } = entry;
  return { promptTokens, cachedTokens, completionTokens, tokensEstimated };
}

const EXPECTED = { promptTokens: 262_960, cachedTokens: 257_955, completionTokens: 1744, tokensEstimated: false };

async function callOpenai(target: TargetName, stream: boolean, requestId: string): Promise<void> {
  const options = { headers: { "x-request-id": requestId } };
  if (!stream) {
    const { usage } = await world.openai.chat.completions.create(
      { model: MODELS[target], messages: MESSAGES },
      options,
    );
    assert.deepEqual(
      [usage?.prompt_tokens, usage?.prompt_tokens_details?.cached_tokens, usage?.completion_tokens],
      [262_960, 257_955, 1744],
    );
    return;
  }
  const request = { model: MODELS[target], messages: MESSAGES, stream: true as const };
  for await (const chunk of await world.openai.chat.completions.create(request, options)) {
    assert.equal(chunk.usage ?? undefined, undefined, "usage is asked of the vendor, and not shown to the client");
  }
}

async function callAnthropic(target: TargetName, stream: boolean, requestId: string): Promise<void> {
  const options = { headers: { "x-request-id": requestId } };
  const request = { model: MODELS[target], max_tokens: 100, messages: MESSAGES };
  const message = stream
    ? await world.anthropic.messages.stream(request, options).finalMessage()
    : await world.anthropic.messages.create(request, options);
  const { input_tokens, cache_read_input_tokens, output_tokens } = message.usage;
  assert.deepEqual([input_tokens, cache_read_input_tokens, output_tokens], [262_960 - 257_955, 257_955, 1744]);
}

for (const target of TARGETS) {
  for (const [dialect, call] of [
    ["openai", callOpenai],
    ["anthropic", callAnthropic],
  ] as const) {
    for (const stream of [false, true]) {
      test(`${dialect} client → ${target}, ${stream ? "stream" : "whole"} (13)`, async () => {
        const requestId = randomUUID();
        await call(target, stream, requestId);
        const entry = await world.gateway.entryOf(requestId);
        assert.deepEqual(tokens(entry), EXPECTED);
        const { outcome, status, operation, clientDialect, targetDialect, attempts, error } = entry;
        assert.deepEqual(
          { outcome, status, operation, clientDialect, targetDialect, attempts, error, stream: entry.stream },
          {
            outcome: "ok",
            status: 200,
            operation: "chat",
            clientDialect: dialect,
            targetDialect: target,
            attempts: 1,
            error: "",
            stream,
          },
        );
        assert.deepEqual(
          [entry.consumer, entry.key, entry.model, entry.servedModel, entry.provider],
          ["tests", "main", MODELS[target], MODELS[target], target],
        );
        assert.ok(entry.bytesIn > 100 && entry.bytesOut > 100);
        assert.ok(
          entry.firstTokenMs > 0 && entry.firstTokenMs <= entry.totalMs && entry.dispatchMs <= entry.firstTokenMs,
        );
      });
    }
  }
}

test("requests that are refused have an entry too", async () => {
  const cases = [
    { status: 401, error: "invalid_api_key", headers: { authorization: "Bearer sk-sluice-wrong" } },
    { status: 404, error: "model_not_found", body: { model: "nothing", messages: [] } },
    { status: 400, error: "invalid_json", text: '{"model": ' },
    { status: 405, error: "method_not_allowed", method: "PUT" },
    { status: 404, error: "route_not_found", path: "/v1/nothing" },
  ];
  for (const { status, error, headers, body, text, method = "POST", path = "/v1/chat/completions" } of cases) {
    const requestId = randomUUID();
    const response = await fetch(world.gateway.url + path, {
      method,
      headers: {
        authorization: `Bearer ${world.key}`,
        "content-type": "application/json",
        "x-request-id": requestId,
        ...headers,
      },
      body: text ?? JSON.stringify(body ?? { model: MODELS.openai, messages: MESSAGES }),
    });
    assert.equal(response.status, status, await response.text());
    assert.equal(response.headers.get("x-request-id"), requestId);
    const entry = await world.gateway.entryOf(requestId);
    assert.deepEqual([entry.outcome, entry.status, entry.error, entry.attempts], ["refused", status, error, 0]);
  }
  assert.equal(world.simulators.openai.stats().hitsByPath["/v1/nothing"], undefined);
});

test("embeddings and completions are counted", async () => {
  const requestId = randomUUID();
  const options = { headers: { "x-request-id": requestId } };
  const { usage } = await world.openai.embeddings.create(
    { model: MODELS.openai, input: "some text to embed" },
    options,
  );
  const entry = await world.gateway.entryOf(requestId);
  assert.deepEqual(
    [entry.operation, entry.promptTokens, entry.completionTokens],
    ["embeddings", usage.prompt_tokens, 0],
  );
});

test("the admin port's totals are the sum of the entries", async () => {
  const entries = await world.gateway.entries();
  const text = await (await fetch(`${world.gateway.adminUrl}/metrics`)).text();
  const sums = [...text.matchAll(/^sluice_requests_total(?:\{[^}]*\})? (\d+)/gm)].map((match) => Number(match[1]));
  assert.ok(sums.length > 0, text.slice(0, 2000));
  assert.equal(
    sums.reduce((sum, value) => sum + value, 0),
    entries.length,
  );
});
