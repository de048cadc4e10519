import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSticky, STICKY } from "../config/sticky.ts";
import type { JsonObject } from "../lib/json.ts";
import type { Exchange } from "./exchange.ts";
import { callerOf, pickByCaller } from "./sticky.ts";

const CALLERS = Array.from({ length: 20_000 }, (_, index) => `user-${index}`);

/** The versions of the first callers at equal weights, worked out by another program. */
const PINNED = "t@2 t@1 t@2 t@2 t@1 t@2 t@1 t@2 t@2 t@2 t@1 t@1 t@1 t@1 t@1 t@2";

/** The version of each caller when versions 1, 2, 3 … have these weights. */
function versions(...weights: number[]): string[] {
  const items = weights
    .map((weight, index) => ({ template: `t@${index + 1}`, weight }))
    .filter((item) => item.weight > 0);
  return CALLERS.map((caller) => pickByCaller(items, caller).template);
}

/** How many callers go from one version to another, as `from>to`. */
function moves(before: readonly string[], after: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [index, from] of before.entries()) {
    const move = `${from}>${after[index]}`;
    if (from !== after[index]) counts.set(move, (counts.get(move) ?? 0) + 1);
  }
  return counts;
}

const share = (picked: readonly string[], version: string): number =>
  picked.filter((name) => name === version).length / picked.length;

test("versions have their shares of the callers, and weights are relative", () => {
  const picked = versions(90, 10);
  assert.ok(Math.abs(share(picked, "t@2") - 0.1) < 0.01, `${share(picked, "t@2")}`);
  assert.deepEqual(versions(9, 1), picked);
  const three = versions(1, 2, 1);
  assert.ok(Math.abs(share(three, "t@2") - 0.5) < 0.02);
});

test("a change of weights moves no more callers than it must, and only to what grows", () => {
  const moved = moves(versions(90, 10), versions(80, 20));
  assert.deepEqual([...moved.keys()], ["t@1>t@2"]);
  assert.ok(Math.abs(moved.get("t@1>t@2")! / CALLERS.length - 0.1) < 0.01);
  assert.deepEqual([...moves(versions(50, 50), versions(45, 45, 10)).keys()].toSorted(), ["t@1>t@3", "t@2>t@3"]);
  assert.deepEqual([...moves(versions(50, 30, 20), versions(0, 30, 20)).keys()].toSorted(), ["t@1>t@2", "t@1>t@3"]);
});

test("templates divide the callers differently, and the division is the same in every release", () => {
  const of = (name: string): string[] =>
    CALLERS.map((caller) => {
      const items = [1, 2].map((version) => ({ template: `${name}@${version}`, weight: 1 }));
      return pickByCaller(items, caller).template.slice(-1);
    });
  const [one, other] = [of("a"), of("b")];
  const same = one.filter((version, index) => version === other[index]).length / CALLERS.length;
  assert.ok(Math.abs(same - 0.5) < 0.02, "who is first in one test is not first in all");
  assert.equal(versions(1, 1).slice(0, 16).join(" "), PINNED);
});

test("who is meant: consumer, key, header or field of the input; what is not there says nobody", () => {
  const exchange = {
    caller: { consumerId: 1, keyId: 2 },
    services: { name: (id: number) => ["", "search", "prod"][id] },
    headers: { "x-user-id": "u7", "x-empty": "" },
  } as unknown as Exchange;
  const input: JsonObject = { user: { id: 7, list: ["a"] }, flag: false, nothing: null, empty: "" };
  const cases: [sticky: string, caller: string | undefined][] = [
    ["consumer", "search"],
    ["key", "search\0prod"],
    ["header:x-user-id", "u7"],
    ["header:x-other", undefined],
    ["header:x-empty", undefined],
    ["input:user.id", "7"],
    ["input:user.list.0", "a"],
    ["input:flag", "false"],
    ["input:user", undefined],
    ["input:nothing", undefined],
    ["input:empty", undefined],
    ["input:user.id.more", undefined],
    ["input:constructor", undefined],
  ];
  for (const [sticky, caller] of cases) {
    assert.match(sticky, STICKY);
    assert.equal(callerOf(parseSticky(sticky), exchange, input), caller, sticky);
  }
  for (const wrong of ["user", "header:", "header:X-User", "input:", "input:a..b", "input:a b", "consumer:x"]) {
    assert.doesNotMatch(wrong, STICKY);
  }
});
