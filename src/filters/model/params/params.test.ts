import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Operation } from "../../../dialects/contract.ts";
import type { ChatRequest } from "../../../dialects/form.ts";
import type { JsonObject } from "../../../lib/json.ts";
import { params } from "./params.ts";

/** The body after the filter that these options make. */
function apply(options: JsonObject, body: JsonObject, operation: Operation = "chat"): JsonObject {
  const result = structuredClone(body);
  params.create(params.schema.parse(options)).wireRequest?.(result, operation);
  return result;
}

interface Case {
  readonly name: string;
  readonly options: JsonObject;
  readonly before: JsonObject;
  readonly after: JsonObject;
}

const CASES: readonly Case[] = [
  {
    name: "rename moves a member",
    options: { rename: { max_tokens: "max_completion_tokens" } },
    before: { max_tokens: 5, x: 1 },
    after: { max_completion_tokens: 5, x: 1 },
  },
  {
    name: "rename leaves what is there under the new name",
    options: { rename: { max_tokens: "max_completion_tokens" } },
    before: { max_tokens: 5, max_completion_tokens: 6 },
    after: { max_completion_tokens: 6 },
  },
  { name: "rename of what is not there", options: { rename: { a: "b" } }, before: { b: 1 }, after: { b: 1 } },
  { name: "rename swaps", options: { rename: { a: "b", b: "a" } }, before: { a: 1, b: 2 }, after: { a: 2, b: 1 } },
  {
    name: "rename into and out of an object",
    options: { rename: { enable_thinking: "chat_template_kwargs.enable_thinking", "extra.seed": "seed" } },
    before: { enable_thinking: false, extra: { seed: 3 } },
    after: { chat_template_kwargs: { enable_thinking: false }, extra: {}, seed: 3 },
  },
  {
    name: "drop removes members",
    options: { drop: ["top_k", "a.b", "a.c.d", "gone"] },
    before: { top_k: 5, a: { b: 1, c: 2 } },
    after: { a: { c: 2 } },
  },
  {
    name: "default sets what is missing or null",
    options: { default: { temperature: 0.7, top_p: 0.9, stop: ["x"], seed: 1, "a.b": true } },
    before: { temperature: 0, top_p: null, seed: 2, a: {} },
    after: { temperature: 0, top_p: 0.9, stop: ["x"], seed: 2, a: { b: true } },
  },
  {
    name: "clamp moves numbers into their bounds",
    options: {
      clamp: { max_tokens: { max: 100 }, temperature: { min: 0.1, max: 1 }, n: { min: 1 }, stop: { max: 1 } },
    },
    before: { max_tokens: 500, temperature: 0, n: 3, stop: "9" },
    after: { max_tokens: 100, temperature: 0.1, n: 3, stop: "9" },
  },
  {
    name: "force sets whatever was there",
    options: { force: { temperature: 1, "chat_template_kwargs.enable_thinking": false, "a.b": null } },
    before: { temperature: 0.2, chat_template_kwargs: { x: 1 }, a: "text" },
    after: { temperature: 1, chat_template_kwargs: { x: 1, enable_thinking: false }, a: { b: null } },
  },
  {
    name: "the order is rename, drop, default, clamp, force",
    options: {
      force: { c: 99 },
      clamp: { a: { max: 10 }, b: { max: 10 }, c: { max: 10 } },
      default: { a: 50, b: 50 },
      drop: ["a"],
      rename: { x: "b", y: "a" },
    },
    before: { x: 7, y: 8, c: 1 },
    after: { b: 7, a: 10, c: 99 },
  },
];

for (const { name, options, before, after } of CASES) {
  test(name, () => {
    assert.deepEqual(apply(options, before), after);
  });
}

const REFUSED: readonly JsonObject[] = [
  { renames: {} },
  { rename: { a: 7 } },
  { rename: { a: "__proto__.x" } },
  { drop: ["__proto__"] },
  { drop: ["a..b"] },
  { drop: [""] },
  { drop: ["model"] },
  { force: { stream: true } },
  { force: { "constructor.prototype.x": 1 } },
  { default: { "a.prototype": 1 } },
  { clamp: { a: {} } },
  { clamp: { a: { min: 2, max: 1 } } },
  { clamp: { a: { least: 1 } } },
  { operations: ["everything"] },
  { cacheMarkers: "yes" },
  { drop: ["x".repeat(201)] },
  { drop: Array.from({ length: 65 }, (_, index) => `p${index}`) },
];

test("options that mean nothing or too much are refused", () => {
  for (const options of REFUSED) assert.equal(params.schema.safeParse(options).success, false, JSON.stringify(options));
});

test("only the named operations are touched; counting tokens is not among them by itself", () => {
  const options = { force: { a: 1 } };
  assert.deepEqual(apply(options, {}, "embeddings"), { a: 1 });
  assert.deepEqual(apply(options, {}, "count_tokens"), {});
  assert.deepEqual(apply({ ...options, operations: ["count_tokens"] }, {}, "count_tokens"), { a: 1 });
});

test("a hook that would do nothing is not there", () => {
  const nothing = params.create(params.schema.parse({}));
  assert.deepEqual(nothing, {});
  const marking = params.create(params.schema.parse({ cacheMarkers: "cache_control" }));
  assert.ok(!("wireRequest" in marking));
  const request: ChatRequest = { model: "m", messages: [], stream: false, includeUsage: false };
  marking.request?.(request);
  assert.equal(request.cacheMarkers, "cache_control");
});

test("one request's body is not another's", () => {
  const filter = params.create(params.schema.parse({ force: { a: { list: [1] } } }));
  const first: JsonObject = {};
  const second: JsonObject = {};
  filter.wireRequest?.(first, "chat");
  (first["a"] as JsonObject)["list"] = "changed";
  filter.wireRequest?.(second, "chat");
  assert.deepEqual(second, { a: { list: [1] } });
});

test("no body and no path reach a prototype", () => {
  const names = fc.constantFrom("__proto__", "constructor", "prototype", "toString", "a", "b");
  const paths = fc.array(names, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("."));
  fc.assert(
    fc.property(
      fc.dictionary(paths, paths),
      fc.array(paths),
      fc.dictionary(paths, fc.integer()),
      (rename, drop, values) => {
        const options = { rename, drop, default: values, force: values };
        const parsed = params.schema.safeParse(options);
        if (!parsed.success) return;
        const body = JSON.parse('{"__proto__":{"a":1},"constructor":{"prototype":{"a":1}},"a":{"b":2}}') as JsonObject;
        params.create(parsed.data).wireRequest?.(body, "chat");
        const fresh: Record<string, unknown> = {};
        assert.deepEqual([fresh["a"], fresh["b"], Object.keys(Object.prototype)], [undefined, undefined, []]);
        assert.equal(typeof Object.prototype.toString, "function");
      },
    ),
    { numRuns: 300 },
  );
});
