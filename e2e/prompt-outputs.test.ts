/** What a prompt's callers get: the model's text, or the JSON in it once a schema has passed it, whole or streamed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { startPrompts } from "./prompt-world.ts";

const RATING = {
  type: "object",
  required: ["stars"],
  additionalProperties: false,
  properties: { stars: { type: "integer", minimum: 1, maximum: 5 }, note: { type: "string", default: "" } },
};

/** The simulated model answers what the input's `say` says, and ends as `finish` says. */
function saying(path: string, options: JsonObject): JsonObject {
  const content = "/simulate text={{ urlquery .say }}&finish={{ .finish }}\nx";
  const common = { model: "index", messages: [{ role: "user", content }], defaults: { finish: "stop" } };
  return { path, middlewares: [{ name: "prompt_template", options: { ...common, ...options } }] };
}

const TEXT = saying("/v1/text", { output: "text" });
const JSON_ROUTE = saying("/v1/json", { output: "json", outputSchema: RATING, repairs: 0 });
const ANY_JSON = saying("/v1/any-json", { output: "json" });

test("output: text is the model's words as they are, and says how they ended", async (t) => {
  const { post, gateway } = await startPrompts(t, [TEXT]);
  const said = 'Two lines,\nand "quotes" 你好';
  const answer = await post("/v1/text", { say: said });
  assert.equal(answer.headers.get("content-type"), "text/plain; charset=utf-8");
  assert.equal(answer.headers.get("x-sluice-finish-reason"), "stop");
  assert.equal(await answer.text(), said);
  const cut = await post("/v1/text", { say: "Half of", finish: "length" });
  assert.equal(cut.headers.get("x-sluice-finish-reason"), "length");
  const [entry] = await gateway.waitForEntries(2);
  assert.deepEqual([entry!.outcome, entry!.tokensEstimated, entry!.completionTokens > 0], ["ok", false, true]);
  const error = await post("/v1/text", {});
  assert.equal(error.status, 400, "errors keep their form");
  assert.equal(((await error.json()) as { error: { type: string } }).error.type, "invalid_request_error");
});

test("output: text is streamed as pieces of text to who accepts an event stream", async (t) => {
  const { post, gateway } = await startPrompts(t, [TEXT]);
  const said = "One two three\nfour 你好";
  const answer = await post("/v1/text", { say: said }, { accept: "text/event-stream" });
  assert.match(answer.headers.get("content-type")!, /^text\/event-stream/);
  const events = (await answer.text()).trim().split("\n\n");
  assert.equal(events.pop(), "data: [DONE]");
  assert.equal(events.pop(), 'data: {"finish_reason":"stop"}');
  assert.ok(events.length > 1);
  const pieces = events.map((event) => (JSON.parse(event.slice("data: ".length)) as { text: string }).text);
  assert.equal(pieces.join(""), said);
  const [entry] = await gateway.waitForEntries(1);
  assert.deepEqual([entry!.stream, entry!.outcome, entry!.tokensEstimated], [true, "ok", false]);
});

test("output: json is the checked value; what does not pass is a 502 that says why, and its tokens count", async (t) => {
  const { post, engine, gateway } = await startPrompts(t, [JSON_ROUTE, ANY_JSON]);
  for (const say of ['{"stars": 4}', '```json\n{"stars":4}\n```']) {
    const answer = await post("/v1/json", { say });
    assert.equal(answer.headers.get("content-type"), "application/json");
    assert.deepEqual(await answer.json(), { stars: 4, note: "" });
  }
  const exact = await post("/v1/any-json", { say: '{"id": 9007199254740993, "texts": []}' });
  assert.equal(await exact.text(), '{"id":9007199254740993,"texts":[]}', "an id of 64 bits stays what it is");
  const cases: [say: string, finish: string, message: RegExp][] = [
    ["Four stars!", "stop", /not JSON/],
    ['{"stars": 9}', "stop", /stars/],
    ['{"stars": 4', "length", /cut off/],
    ["I would rather not.", "refusal", /refused/],
  ];
  for (const [say, finish, message] of cases) {
    const answer = await post("/v1/json", { say, finish });
    assert.equal(answer.status, 502, say);
    assert.match(await answer.text(), message);
  }
  assert.equal(engine.stats().hits, 7, "an answer that does not fit is no failure of the node: nothing is retried");
  const entries = await gateway.waitForEntries(7);
  assert.deepEqual(new Set(entries.slice(3).map(({ error }) => error)), new Set(["upstream_invalid_answer"]));
  assert.ok(entries.every(({ completionTokens }) => completionTokens > 0));
  const streamed = await post("/v1/json", { say: "{}" }, { accept: "text/event-stream" });
  assert.equal(streamed.status, 400);
  assert.equal((await post("/v1/json?stream=true", { say: "{}" })).status, 400);
  assert.equal(engine.stats().hits, 7);
});

test("a stream of text that breaks says so as its last event; a client that leaves is recorded", async (t) => {
  const { post, gateway } = await startPrompts(t, [TEXT]);
  const broken = await post(
    "/v1/text",
    { say: "One two three four five six seven", finish: "stop&fault=reset-body:3" },
    { accept: "text/event-stream" },
  );
  let text = "";
  await assert.rejects(async () => {
    for await (const chunk of broken.body!.pipeThrough(new TextDecoderStream())) text += chunk;
  }, "the connection says that it is not whole");
  assert.match(text, /^data: \{"text":/);
  const last = text.trim().split("\n\n").at(-1)!;
  assert.equal(
    (JSON.parse(last.slice("data: ".length)) as { error: { code: string } }).error.code,
    "upstream_stream_broken",
  );

  const leaving = new AbortController();
  const left = post(
    "/v1/text",
    { say: "x", finish: "stop&fault=hang-token" },
    { accept: "text/event-stream" },
    leaving.signal,
  );
  setTimeout(() => leaving.abort(), 300);
  await assert.rejects(left);
  const entries = await gateway.waitForEntries(2);
  assert.deepEqual(
    entries.map(({ outcome }) => outcome),
    ["broken", "aborted"],
  );
  assert.ok(entries.every(({ promptTokens }) => promptTokens > 0));
});
