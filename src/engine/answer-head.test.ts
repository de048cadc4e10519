import assert from "node:assert/strict";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";
import { DIALECTS } from "../dialects/builtin.ts";
import { answerHead } from "./answer-head.ts";
import type { Exchange } from "./exchange.ts";

function headOf(parts: Partial<Exchange>): Map<string, string> {
  const exchange = {
    requestId: "req_1",
    dialect: DIALECTS.openai,
    dropped: [],
    isHttp2: false,
    services: { draining: () => false },
    entry: { nanoUsd: undefined, upstreamName: "" },
    ...parts,
  } as unknown as Exchange;
  const head = answerHead(exchange, []);
  // node takes it: no character breaks out of its line
  new ServerResponse(new IncomingMessage(new Socket())).writeHead(200, head);
  return new Map(head.flatMap((value, index) => (index % 2 === 0 ? [[value, head[index + 1]!] as const] : [])));
}

test("every answer has the request's id, and Anthropic's have it twice", () => {
  assert.deepEqual([...headOf({})], [["x-request-id", "req_1"]]);
  assert.equal(headOf({ dialect: DIALECTS.anthropic }).get("request-id"), "req_1");
});

test("what clients call their fields cannot break a header", () => {
  const dropped = ["logprobs", "日本", "a\r\nset-cookie: b=1", "x,y"];
  const text = headOf({ dropped }).get("x-sluice-dropped")!;
  assert.deepEqual(text.split(", ").map(decodeURIComponent), dropped);
});

test("the list of dropped fields has a limit in number and length", () => {
  const many = headOf({ dropped: Array.from({ length: 10_000 }, (_, index) => `field${index}`) });
  assert.match(many.get("x-sluice-dropped")!, /^field0, .*field31, \.\.\.$/);
  assert.ok(headOf({ dropped: ["k".repeat(300_000)] }).get("x-sluice-dropped")!.length < 2_100);
});

test("an upstream model of any script is shown percent-encoded", () => {
  const endpoint = { target: { provider: { name: "own" }, config: { model: "模型/7b" } } };
  const route = { config: { exposeHeaders: true }, answerHead: [] };
  const parts = { endpoint, route, hits: 2, dispatchMs: 1.234 } as unknown as Partial<Exchange>;
  const head = headOf(parts);
  assert.equal(head.get("x-sluice-model"), "%E6%A8%A1%E5%9E%8B/7b");
  assert.equal(head.get("x-sluice-attempts"), "2");
  assert.equal(head.get("x-sluice-overhead-ms"), "1.23");
  assert.equal(head.get("x-sluice-cost"), undefined);
  const entry = { nanoUsd: 1_000, upstreamName: "" } as Partial<Exchange["entry"]> as Exchange["entry"];
  assert.equal(headOf({ ...parts, entry }).get("x-sluice-cost"), "0.000001");
  assert.equal(headOf({ entry }).get("x-sluice-cost"), undefined, "only where the route exposes it");
});

test("an upstream model that the client named is shown by its name, as far as a header should hold it", () => {
  const endpoint = { target: { provider: { name: "own" }, config: { model: "*" } } };
  const route = { config: { exposeHeaders: true }, answerHead: [] };
  const modelOf = (upstreamName: string): string | undefined =>
    headOf({ endpoint, route, dispatchMs: 1, entry: { upstreamName } } as unknown as Partial<Exchange>).get(
      "x-sluice-model",
    );
  assert.equal(modelOf("gpt-4o"), "gpt-4o");
  assert.equal(modelOf("a\r\nset-cookie: b=1"), "a%0D%0Aset-cookie:%20b=1");
  assert.equal(modelOf("k".repeat(1_000_000))?.length, 128);
});
