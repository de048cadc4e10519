/** Odd answers on the wire, and what clients of each dialect must get of them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DialectName } from "../src/dialects/form.ts";
import type { ErrorCode } from "../src/lib/errors.ts";
import { CANNED_USAGE, cannedAnswer, cannedEvents, cannedStream, type CannedStream } from "./canned.ts";
import { checkErrorShape, checkNothingInternal, codeIn } from "./error-shape.ts";
import type { Script } from "./raw-upstream.ts";
import { nameOf, PAIRS, type Pair, type RawWorld } from "./raw-world.ts";

const TEXT = "Grüße, 世界! 👋";
const PIECES = ["Grüße", ", 世", "界! ", "👋"];

/** A code: an error of Sluice's; a status: the upstream's own; `brokenBy`: an error event after the first piece. */
type Expected = "right" | ErrorCode | { readonly status: number } | { readonly brokenBy: ErrorCode };

export interface WireCase {
  readonly name: string;
  readonly expected: Expected;
  readonly script: (target: DialectName) => Script;
}

/** The answer that the cases distort. */
export const answer = (target: DialectName): string => cannedAnswer(target, TEXT);
/** The stream that the cases distort. */
export const events = (target: DialectName): string => cannedEvents(target, PIECES);
/** The same, in parts. */
export const parts = (target: DialectName): CannedStream => cannedStream(target, PIECES);
/** The head of an answer whose body ends with the connection. */
export const untilClose = (type: string): string => `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n\r\n`;

/** Makes a test of each case, for each pair of dialects. */
export function testCases(kind: "whole" | "stream", cases: readonly WireCase[], world: () => RawWorld): void {
  describe(kind === "stream" ? "a stream" : "a whole answer", { concurrency: 6 }, () => {
    for (const wireCase of cases) {
      test(`${wireCase.name} (1)`, async () => {
        const checks = PAIRS.map(async (pair) => check(world(), pair, kind === "stream", wireCase));
        const failures = (await Promise.allSettled(checks)).filter((result) => result.status === "rejected");
        assert.deepEqual(
          failures.map(({ reason }) => String(reason)),
          [],
        );
      });
    }
  });
}

async function check(world: RawWorld, pair: Pair, stream: boolean, { expected, script }: WireCase): Promise<void> {
  const { client, target } = pair;
  const result = await world.call(pair, stream, script(target));
  const { reading } = result;
  const entry = await result.entry();
  const what = `${nameOf(pair, stream)}: ${JSON.stringify({ ...reading, entry })}`;
  checkNothingInternal(reading.body + JSON.stringify([...reading.headers]), what);
  assert.doesNotMatch(
    reading.body + JSON.stringify([...reading.headers]),
    /s3cr3t|10\.1\.2\.3|vllm\/|raw-credential/,
    what,
  );
  assert.deepEqual([result.hits, entry.attempts], [1, 1], what);
  if (expected === "right") {
    assert.deepEqual([reading.status, reading.text, reading.error, reading.cut], [200, TEXT, "", false], what);
    assert.deepEqual([entry.outcome, entry.error, entry.tokensEstimated], ["ok", "", false], what);
    assert.deepEqual(
      [entry.promptTokens, entry.completionTokens],
      [CANNED_USAGE.prompt, CANNED_USAGE.completion],
      what,
    );
    if (stream) assert.ok(reading.ms < 1900, `it must not wait for a clock: ${what}`);
    return;
  }
  checkErrorShape(client, reading.body, what);
  if (typeof expected === "object" && "brokenBy" in expected) {
    assert.deepEqual([reading.status, reading.text, reading.cut], [200, PIECES[0], true], what);
    assert.equal(reading.code, codeIn(client, expected.brokenBy), what);
    assert.deepEqual([entry.outcome, entry.error, entry.tokensEstimated], ["broken", expected.brokenBy, true], what);
    return;
  }
  const vendors = typeof expected === "object";
  assert.deepEqual([reading.text, reading.cut], ["", false], what);
  assert.equal(reading.status, vendors ? expected.status : 502, what);
  assert.equal(reading.code, vendors ? "" : codeIn(client, expected), what);
  assert.deepEqual([entry.outcome, entry.error], ["upstream_error", vendors ? "upstream_error" : expected], what);
}
