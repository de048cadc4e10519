/** A model that counts other than estimated: after some reports, reservations and estimated entries are right. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { startSimulator } from "../src/simulate/simulator.ts";
import { oneEngine, startGateway, testKey } from "./harness.ts";

const MAX_TOKENS = 32;
const LEARNER_TPM = 10_000_000;
/** A bucket of its own for each look at what is reserved: full, so that the header says it exactly. */
const WATCHERS = ["first", "second", "third"];
const WATCHER_TPM = 10_000;
const QUESTION = "Why does a gateway count the tokens of a prompt before the model does, and what if it is wrong? ";

test("an engine that counts twice as many tokens as estimated: reservations become right", async (t) => {
  const engine = await startSimulator({});
  t.after(() => engine.close());
  const keys = new Map(
    ["unlimited", "learner", ...WATCHERS].map((name) => [name, testKey(`token-correction-${name}`)]),
  );
  const config = {
    ...oneEngine(engine),
    consumers: [...keys].map(([name, { hash }]) => ({
      name,
      grants: [
        name === "unlimited"
          ? { model: "index" }
          : { model: "index", tpm: name === "learner" ? LEARNER_TPM : WATCHER_TPM, mode: "hard" },
      ],
      keys: [{ name: "prod", hash }],
    })),
  };
  const gateway = await startGateway(t, { config, workers: 2 });
  const ask = (name: string, content: string, more: JsonObject = {}): Promise<Response> =>
    fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${keys.get(name)!.key}` },
      body: JSON.stringify({ model: "index", messages: [{ role: "user", content }], max_tokens: MAX_TOKENS, ...more }),
    });
  /** What is reserved for the prompt while a stream runs. */
  const reserved = async (name: string, reported: number): Promise<number> => {
    const directives = `/simulate promptTokens=${String(reported).padStart(4, "0")}&tokens=4`;
    const answer = await ask(name, `${directives}\n${QUESTION.repeat(20)}`, { stream: true });
    assert.equal(answer.status, 200);
    await answer.body!.cancel();
    return WATCHER_TPM - Number(answer.headers.get("x-ratelimit-remaining-tokens")) - MAX_TOKENS;
  };
  // nothing limits these, so nothing was estimated that the report could be compared with
  for (let count = 0; count < 10; count++) {
    const answer = await ask("unlimited", `/simulate promptTokens=1500&tokens=4\n${QUESTION.repeat(20)}`);
    await answer.text();
  }
  const estimated = await reserved("first", 1);
  assert.ok(estimated > 300 && estimated < 600, String(estimated));
  const actual = 2 * estimated;
  const learn = async (times: number): Promise<void> => {
    for (let count = 0; count < times; count++) {
      const stream = count % 2 === 0;
      const options: JsonObject = stream ? { stream, stream_options: { include_usage: true } } : {};
      const directives = `/simulate promptTokens=${String(actual).padStart(4, "0")}&tokens=4`;
      const answer = await ask("learner", `${directives}\n${QUESTION.repeat(20)}`, options);
      assert.equal(answer.status, 200);
      await answer.text();
    }
  };
  await learn(20);
  const later = await reserved("second", 1);
  assert.ok(Math.abs(later / actual - 1) < 0.1, `${later} reserved, ${actual} used`);

  // no report: the entry's estimate is corrected too
  engine.setFault("close-body:2");
  const broken = await ask("third", `/simulate tokens=9\n${QUESTION.repeat(20)}`, { stream: true });
  await broken.text().catch(() => "");
  const entries = await gateway.waitForEntries(33);
  const entry = entries.find(({ consumer }) => consumer === "third")!;
  assert.ok(entry.tokensEstimated);
  assert.ok(Math.abs(entry.promptTokens / actual - 1) < 0.1, `${entry.promptTokens} recorded, ${actual} used`);
});

test("images and files teach nothing about text, and what text taught does not hold for them", async (t) => {
  const engine = await startSimulator({});
  t.after(() => engine.close());
  const { key, hash } = testKey("token-correction-images");
  const config = {
    ...oneEngine(engine),
    consumers: [{ name: "search", grants: [{ model: "index", tpm: LEARNER_TPM }], keys: [{ name: "prod", hash }] }],
  };
  const gateway = await startGateway(t, { config, workers: 1 });
  const post = async (path: string, body: JsonObject): Promise<JsonObject> => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
    const answer = await fetch(`${gateway.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    assert.equal(answer.status, 200);
    return (await answer.json()) as JsonObject;
  };
  const image = { type: "image_url", image_url: { url: "https://example.com/cat.png" } };
  const ask = (reported: number, images: number): Promise<JsonObject> => {
    const text = `/simulate promptTokens=${reported}&tokens=1\n${QUESTION.repeat(20)}`;
    const content = [{ type: "text", text }, ...Array.from({ length: images }, () => image)];
    return post("/v1/chat/completions", { model: "index", messages: [{ role: "user", content }] });
  };
  /** What the gateway thinks of a prompt, where no provider counts. */
  const counted = async (images: number): Promise<number> => {
    const source = { type: "url", url: "https://example.com/cat.png" };
    const content = [
      { type: "text", text: QUESTION.repeat(20) },
      ...Array.from({ length: images }, () => ({ type: "image", source })),
    ];
    const body = { model: "index", messages: [{ role: "user", content }] };
    return Number((await post("/v1/messages/count_tokens", body))["input_tokens"]);
  };
  const text = await counted(0);
  const ofImage = (await counted(1)) - text;
  assert.ok(ofImage > 500, `${ofImage}`);
  for (let count = 0; count < 15; count++) await ask(text + 3 * ofImage, 1);
  assert.equal(await counted(0), text);
  for (let count = 0; count < 20; count++) await ask(2 * text, 0);
  const later = await counted(0);
  assert.ok(Math.abs(later / text - 2) < 0.2, `${later}, at first ${text}`);
  assert.equal((await counted(1)) - later, ofImage);
});
