/** Who serves: weights, priorities, credentials in turn, and fallback models as far as the key is granted them. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { cannedAnswer } from "./canned.ts";
import { read, type Reading } from "./client.ts";
import { Cleanups, startGateway, testKey, type RunningGateway } from "./harness.ts";
import { says, startRawUpstream, wholeAnswer, type RawRequest, type RawUpstream, type Script } from "./raw-upstream.ts";

const all = testKey("all models");
const some = testKey("some models");
let gateway: RunningGateway;
let nodes: readonly RawUpstream[];
const cleanups = new Cleanups();
const ok: Script = says(wholeAnswer(cannedAnswer("openai", "fine")));

/** The provider's credential and the upstream model say whom a request was for. */
before(async () => {
  nodes = await Promise.all([0, 1, 2].map(async () => startRawUpstream(cleanups, ok)));
  const urls = nodes.map(({ url }) => `${url}/v1`);
  const credential = (name: string, weight = 1): JsonObject => ({ name, apiKey: `sk-${name}`, weight });
  const provider = (name: string, urlsOf: string[], credentials: JsonObject[]): JsonObject => ({
    name,
    dialect: "openai",
    nodes: urlsOf,
    credentials,
  });
  const to = (name: string, fields: JsonObject = {}): JsonObject => ({ provider: name, model: "m", ...fields });
  gateway = await startGateway(cleanups, {
    config: {
      providers: [
        provider("small", [urls[0]!], [credential("small")]),
        provider("large", urls, [credential("large-1"), credential("large-2", 3)]),
        provider("down", ["http://127.0.0.1:1/v1"], [credential("down")]),
      ],
      models: [
        { name: "weighted", targets: [to("small", { weight: 3 }), to("large", { weight: 1 })] },
        { name: "equal", targets: [to("small"), to("large")] },
        { name: "round-robin", targets: [to("small", { weight: 9 }), to("large")], balance: { policy: "round-robin" } },
        { name: "spread", targets: [to("large")] },
        { name: "priorities", targets: [to("small", { priority: 1 }), to("large", { priority: 0 })] },
        { name: "down", targets: [to("down")], fallbacks: ["secret", "spare"] },
        { name: "spare", targets: [to("large")] },
        { name: "secret", targets: [to("small")] },
        { name: "lost", targets: [to("down")], fallbacks: ["secret"] },
        { name: "family-*", targets: [to("down")], fallbacks: ["echo-small"] },
        { name: "echo-*", targets: [to("small", { model: "real-*" })] },
      ],
      consumers: [
        { name: "all", grants: [{ model: "*" }], keys: [{ name: "main", hash: all.hash }] },
        {
          name: "some",
          grants: ["down", "lost", "spare"].map((model) => ({ model })),
          keys: [{ name: "main", hash: some.hash }],
        },
      ],
    },
  });
});
after(async () => {
  await cleanups.run();
});

const ask = async (model: string, requestId: string, { key } = all): Promise<Reading> =>
  read({ url: gateway.url, key, dialect: "openai", model, content: "hi", stream: false, requestId });

/** Makes `count` calls and returns how many of them each of `names` got. */
async function shares(
  model: string,
  count: number,
  nameOf: (request: RawRequest, node: number) => string,
): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (let call = 0; call < count; call++) {
    assert.equal((await ask(model, `${model}-${call}`)).text, "fine");
  }
  for (const [node, { requests }] of nodes.entries()) {
    for (const request of requests) {
      if (!request.headers.get("x-request-id")?.startsWith(`${model}-`)) continue;
      const name = nameOf(request, node);
      found[name] = (found[name] ?? 0) + 1;
    }
  }
  return found;
}

const credentialOf = ({ headers }: RawRequest): string => headers.get("authorization")?.replace("Bearer sk-", "") ?? "";
const providerOf = (request: RawRequest): string => credentialOf(request).replace(/-\d$/, "");

describe("who serves", { concurrency: 4 }, () => {
  test("by weight, however many nodes and credentials a target has", async () => {
    assert.deepEqual(await shares("weighted", 96, providerOf), { small: 72, large: 24 });
    assert.deepEqual(await shares("equal", 96, providerOf), { small: 48, large: 48 });
    assert.deepEqual(await shares("round-robin", 96, providerOf), { small: 48, large: 48 });
  });

  test("nodes in equal parts, credentials by their weights", async () => {
    assert.deepEqual(await shares("spread", 48, (request, node) => `${credentialOf(request)} at ${node}`), {
      "large-1 at 0": 4,
      "large-1 at 1": 4,
      "large-1 at 2": 4,
      "large-2 at 0": 12,
      "large-2 at 1": 12,
      "large-2 at 2": 12,
    });
  });

  test("the lowest priority first, whatever the order in the file", async () => {
    assert.deepEqual(await shares("priorities", 12, providerOf), { large: 12 });
  });

  test("a fallback model serves keys that are granted it, and no others", async () => {
    const granted = await ask("down", "fallback-granted");
    assert.equal(granted.text, "fine");
    assert.equal((await gateway.entryOf("fallback-granted")).servedModel, "secret");
    const passedOver = await ask("down", "fallback-passed-over", some);
    assert.equal(passedOver.text, "fine");
    assert.equal((await gateway.entryOf("fallback-passed-over")).servedModel, "spare");
    const lost = await ask("lost", "fallback-lost", some);
    assert.deepEqual([lost.status, lost.code], [502, "upstream_unreachable"]);
    assert.doesNotMatch(lost.body, /secret/);
    const entry = await gateway.entryOf("fallback-lost");
    assert.deepEqual([entry.servedModel, entry.attempts], ["lost", 3]);
  });

  test("a fallback that a pattern stands for is asked by its own name", async () => {
    const reading = await ask("family-x", "fallback-pattern");
    const request = nodes[0]!.requests.find(({ headers }) => headers.get("x-request-id") === "fallback-pattern");
    assert.equal(reading.text, "fine");
    assert.match(request?.body ?? "", /"model": ?"real-small"/);
  });

  test("what a `*` stood for is in the entry; metrics keep the `*`, so that clients make no new series", async () => {
    const names = ["echo-one", 'echo-"two"\n', `echo-${"long".repeat(100)}`];
    for (const [index, name] of names.entries()) {
      assert.equal((await ask(name, `open-${index}`)).text, "fine");
      const { model, upstreamModel } = await gateway.entryOf(`open-${index}`);
      assert.deepEqual([model, upstreamModel], ["echo-*", `real-${name.slice("echo-".length)}`.slice(0, 128)]);
    }
    const metrics = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
    const labels = new Set([...metrics.matchAll(/upstream_model="(real-[^"]*)"/g)].map(([, label]) => label));
    assert.deepEqual([...labels], ["real-*"]);
  });
});
