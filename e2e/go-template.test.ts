/**
 * Prompt templates against Go's own text/template: the recorded results, and, where go is installed, Go itself with the
 * recorded and with random templates.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { renderHere } from "./go-template/compare.ts";
import { templateCase } from "./go-template/generate.ts";
import { buildGoRenderer, goVersion } from "./go-template/go.ts";
import type { GoResult, TemplateCase } from "./go-template/go.ts";
import { readRecording } from "./go-template/recording.ts";

const RANDOM_CASES = 500;

function assertSame(cases: readonly TemplateCase[], expected: readonly GoResult[]): void {
  cases.forEach((each, index) => assert.deepEqual(renderHere(each), expected[index], JSON.stringify(each)));
}

test("everything recorded of Go renders alike, errors included", () => {
  const { cases, results } = readRecording();
  assert.ok(cases.length > 2_000);
  assert.ok(results.some(({ error }) => error?.includes("executing")));
  assertSame(cases, results);
});

/** Go changes texts of errors from one release to the next. */
const release = (version: string | undefined) => version?.split(".").slice(0, 2).join(".");
const skip =
  release(goVersion()) === release(readRecording().go) ? false : "the release of go that was recorded is not installed";

test("the recording is what Go says today", { skip }, () => {
  const { cases, results } = readRecording();
  const go = buildGoRenderer();
  try {
    assert.deepEqual(go.render(cases), results);
  } finally {
    go.remove();
  }
});

test("random templates render as Go renders them", { skip }, () => {
  const seed = Date.now() % 1_000_000_000;
  const cases = fc.sample(templateCase, { numRuns: RANDOM_CASES, seed });
  const go = buildGoRenderer();
  try {
    assertSame(cases, go.render(cases));
  } finally {
    go.remove();
  }
});
