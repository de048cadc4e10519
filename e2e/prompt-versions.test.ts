/** Templates with versions: what routes get by label, how versions share requests, and how one is rolled back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../src/lib/json.ts";
import { startPrompts } from "./prompt-world.ts";

const version = (number: number, more: JsonObject = {}): JsonObject => ({
  version: number,
  prompt: { model: "index", messages: [{ role: "user", content: `v${number}: {{ .text }}` }] },
  ...more,
});
const template = (labels: JsonObject, more: JsonObject = {}): JsonObject => ({
  name: "summary",
  published: 1,
  labels,
  versions: [version(1), version(2), version(3, { draft: true })],
  ...more,
});
const route = (path: string, reference: string, ...others: JsonObject[]): JsonObject => ({
  path,
  middlewares: [...others, { name: "prompt_template", options: { template: reference } }],
});
const ROUTES = [
  route("/v1/published", "summary"),
  route("/v1/live", "summary@production"),
  route("/v1/draft", "summary@3"),
];

test("published, label and draft; a label is moved back without touching a route; entries tell the version", async (t) => {
  const world = await startPrompts(t, ROUTES, {}, { templates: [template({ production: 2 })] });
  const { post, lastRequest, gateway } = world;
  const said = async (path: string): Promise<unknown> => {
    assert.equal((await post(path, { text: "x" })).status, 200);
    return (lastRequest()["messages"] as JsonObject[])[0]!["content"];
  };
  assert.deepEqual(
    [await said("/v1/published"), await said("/v1/live"), await said("/v1/draft")],
    ["v1: x", "v2: x", "v3: x"],
  );
  const entries = await gateway.waitForEntries(3);
  assert.deepEqual(
    entries.map((entry) => entry.template),
    ["summary@1", "summary@2", "summary@3"],
  );
  await gateway.configure({ ...world.config, templates: [template({ production: 1 })] });
  const deadline = performance.now() + 5_000;
  while ((await said("/v1/live")) !== "v1: x") {
    assert.ok(performance.now() < deadline, "the label was moved");
    await sleep(20);
  }
});

test("versions share the requests by their weights, and a decorator works around a prompt", async (t) => {
  const production = [
    { version: 1, weight: 1 },
    { version: 2, weight: 3 },
  ];
  const decorator = {
    name: "prompt_decorator",
    options: { prepend: [{ role: "system", content: "For {{ .consumer }}." }] },
  };
  const { post, lastRequest, gateway } = await startPrompts(
    t,
    [route("/v1/live", "summary@production", decorator)],
    {},
    { templates: [template({ production })] },
  );
  const REQUESTS = 200;
  for (let count = 0; count < REQUESTS; count++) {
    const answer = await post("/v1/live", { text: "x" });
    assert.equal(answer.status, 200);
    await answer.arrayBuffer();
  }
  assert.deepEqual((lastRequest()["messages"] as JsonObject[])[0], { role: "system", content: "For search." });
  const entries = await gateway.waitForEntries(REQUESTS);
  const second = entries.filter((entry) => entry.template === "summary@2").length;
  // six standard deviations around 150
  assert.ok(second > 113 && second < 187, `${second} of ${REQUESTS}`);
  assert.equal(entries.filter((entry) => entry.template === "summary@1").length, REQUESTS - second);
  const metrics = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const sampleOf = (name: string): number => {
    const labels = 'gateway="main",template="summary",version="2"';
    const line = metrics.split("\n").find((text) => text.startsWith(`sluice_template_${name}{${labels}`));
    return Number(line?.split(" ").at(-1));
  };
  assert.equal(sampleOf("requests_total"), second);
  assert.equal(sampleOf("request_duration_seconds_count"), second);
  const tokens = entries.filter((entry) => entry.template === "summary@2").map((entry) => entry.promptTokens);
  assert.equal(
    sampleOf("prompt_tokens_total"),
    tokens.reduce((sum, count) => sum + count, 0),
  );
});

test("sticky: a caller stays with a version through reloads and restarts; who is not named is drawn", async (t) => {
  const production = [{ version: 1 }, { version: 2 }];
  const CALLERS = Array.from({ length: 24 }, (_, index) => `user-${index}`);
  const start = (sticky: string) =>
    startPrompts(
      t,
      [route("/v1/live", "summary@production")],
      {},
      {
        templates: [template({ production }, { sticky })],
      },
    );
  type World = Awaited<ReturnType<typeof start>>;
  /** The version that the engine got for each caller. */
  const versionsOf = async ({ post, lastRequest }: World, by: "header" | "input"): Promise<string[]> => {
    const got: string[] = [];
    for (const user of CALLERS) {
      const headers = by === "header" ? { "x-user-id": user } : undefined;
      const answer = await post("/v1/live", { text: "x", ...(by === "input" && { user: { id: user } }) }, headers);
      assert.equal(answer.status, 200);
      await answer.arrayBuffer();
      got.push(String((lastRequest()["messages"] as JsonObject[])[0]!["content"]));
    }
    return got;
  };
  const world = await start("header:x-user-id");
  const first = await versionsOf(world, "header");
  assert.deepEqual(new Set(first), new Set(["v1: x", "v2: x"]));
  const widened = [...production, { version: 4, weight: 0.000_001 }];
  const { versions } = template({}) as { versions: JsonObject[] };
  const changed = template(
    { production: widened },
    { sticky: "header:x-user-id", versions: [...versions, version(4)] },
  );
  await world.gateway.configure({ ...world.config, templates: [changed] });
  const listed = async (): Promise<string> => (await fetch(`${world.gateway.adminUrl}/admin/v1/templates`)).text();
  const deadline = performance.now() + 10_000;
  while (!(await listed()).includes('"version":4')) {
    assert.ok(performance.now() < deadline, "the change was taken up");
    await sleep(20);
  }
  assert.deepEqual(await versionsOf(world, "header"), first, "after a reload");
  const another = await start("input:user.id");
  assert.deepEqual(await versionsOf(another, "input"), first, "in another process, by another field");
  const drawn = [...(await versionsOf(another, "header")), ...(await versionsOf(another, "header"))];
  assert.notDeepEqual(drawn.slice(0, CALLERS.length), drawn.slice(CALLERS.length), "nobody is named: drawn");
  const consumer = await start("consumer");
  assert.equal(new Set(await versionsOf(consumer, "header")).size, 1);
});
