import assert from "node:assert/strict";
import { test } from "node:test";
import type { DomainConfig, ModelConfig, ProviderConfig, RouteConfig, Snapshot } from "../config/snapshot.ts";
import { zeroConfig } from "../config/zero-config.ts";
import { decodeSnapshot, encodeSnapshot } from "./snapshot-parts.ts";

const { snapshot: PLAIN } = zeroConfig({ keyHash: "0".repeat(64), environment: {} });

function decode(parts: readonly SharedArrayBuffer[]): { snapshot: Snapshot; steps: number } {
  const run = decodeSnapshot(parts);
  for (let steps = 0; ; steps++) {
    const { done, value } = run.next();
    if (done === true) {
      return { snapshot: value, steps };
    }
  }
}

test("a snapshot comes out as it went in, but for consumers, which workers have in the directory", () => {
  assert.ok(PLAIN.consumers.length > 0);
  assert.deepEqual(decode(encodeSnapshot(PLAIN)).snapshot, { ...PLAIN, consumers: [] });
});

test("a large one is read in many steps, in order, each route in its domain", () => {
  const many = <Item>(count: number, item: (index: number) => Item): Item[] =>
    Array.from({ length: count }, (_, index) => item(index));
  const routes = (count: number): RouteConfig[] =>
    many(count, (index) => ({ ...PLAIN.domains[0]!.routes[0]!, path: `/${index}/*` }));
  const domain = (host: string, count: number): DomainConfig => ({ host, routes: routes(count) });
  const large: Snapshot = {
    ...PLAIN,
    providers: many(250, (index): ProviderConfig => ({ ...PLAIN.providers[0]!, name: `p${index}` })),
    models: many(1_001, (index): ModelConfig => ({ ...PLAIN.models[0]!, name: `模型${index}` })),
    domains: [domain("a", 350), domain("b", 0), domain("c", 100), domain("d", 1)],
  };
  const { snapshot, steps } = decode(encodeSnapshot(large));
  assert.deepEqual(snapshot, { ...large, consumers: [] });
  assert.ok(steps >= 15, `${steps} steps`);
});

test("a part is short, however long its items are; an item is never cut", () => {
  const version = { version: 1, draft: false, options: { text: "x".repeat(20_000) } };
  const templates = Array.from({ length: 30 }, (_, index) => ({ name: `t${index}`, labels: {}, versions: [version] }));
  templates.push({ name: "fat", labels: {}, versions: Array.from({ length: 10 }, () => version) });
  const parts = encodeSnapshot({ ...PLAIN, templates });
  assert.deepEqual(decode(parts).snapshot.templates, templates);
  const sizes = parts.map((part) => part.byteLength).toSorted((left, right) => right - left);
  assert.ok(sizes[0]! > 200_000 && sizes[1]! < 34_000, sizes.join());
});

test("keys and grants do not travel with it", () => {
  const text = Buffer.concat(encodeSnapshot(PLAIN).map((part) => Buffer.from(part))).toString();
  assert.ok(!text.includes("0".repeat(64)));
});

test("what has no head is no snapshot", () => {
  assert.throws(() => decode(encodeSnapshot(PLAIN).slice(1)), /without its head/);
});
