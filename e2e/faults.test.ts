/**
 * Every fault an upstream can commit, for each pair of dialects, whole and streamed: the client gets the right answer
 * or an error of its dialect with the right status and code, never half an answer that looks whole; the request has
 * one entry, which says what happened; the gateway goes on.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import type { DialectName } from "../src/dialects/form.ts";
import type { UsageEntry } from "../src/ledger/entry.ts";
import type { ErrorCode } from "../src/lib/errors.ts";
import { read, type Reading } from "./client.ts";
import { checkErrorShape, checkNothingInternal, codeIn } from "./error-shape.ts";
import { Cleanups } from "./harness.ts";
import { MODELS, startWorld, TARGETS, type World } from "./world.ts";

let world: World;
const cleanups = new Cleanups();
before(async () => {
  world = await startWorld(cleanups, {
    provider: { timeouts: { connect: "1s", firstToken: "1s", idle: "1s", total: "2s" } },
  });
});
after(async () => {
  await cleanups.run();
});

const TEXT = "one two three four five six seven eight nine ten";

/** An error in place of an answer: a code of Sluice's, or "vendor" for the upstream's own words. */
interface Refused {
  readonly status: number;
  readonly code: ErrorCode | "vendor";
}
/** A stream that ends in an error event, after this text. */
interface Broken {
  readonly brokenBy: ErrorCode | "vendor";
  readonly after: string;
}
type Expected = "right" | Refused | Broken;
type Expectation = Expected | ((pair: { client: DialectName; target: DialectName }) => Expected);

const brokeBefore: Refused = { status: 502, code: "upstream_error" };
const invalid: Refused = { status: 502, code: "upstream_invalid_answer" };
const totalTimeout: Refused = { status: 504, code: "total_timeout" };
const firstTokenTimeout: Refused = { status: 504, code: "first_token_timeout" };
const vendor = (status: number): Refused => ({ status, code: "vendor" });
const broken = (brokenBy: Broken["brokenBy"], text = "one two "): Broken => ({ brokenBy, after: text });
const cut = broken("upstream_stream_broken");
/** A stop reason without the protocol's end does for a reader who converts; bytes that pass through want their end. */
const withoutEnd: Expectation = ({ client, target }) =>
  client === "anthropic" && target === "anthropic" ? broken("upstream_stream_broken", TEXT) : "right";

const CASES: readonly (readonly [fault: string, whole: Expectation, stream: Expectation])[] = [
  ["status:400", vendor(400), vendor(400)],
  ["status:422", vendor(422), vendor(422)],
  ["status:500", vendor(500), vendor(500)],
  ["status:503", vendor(503), vendor(503)],
  ["status:529", vendor(529), vendor(529)],
  ["html:502", vendor(502), vendor(502)],
  ["close", brokeBefore, brokeBefore],
  ["reset", brokeBefore, brokeBefore],
  ["reset-head", brokeBefore, brokeBefore],
  ["garbage", brokeBefore, brokeBefore],
  ["reset-token", brokeBefore, brokeBefore],
  ["html", invalid, invalid],
  ["not-json", invalid, invalid],
  ["empty", invalid, invalid],
  ["redirect:301", invalid, invalid],
  ["redirect:307", invalid, invalid],
  // the vendors' errors have no number; their types stand for one
  [
    "error-200",
    ({ target }) => vendor(target === "openai" ? 502 : 500),
    ({ target }) => vendor(target === "openai" ? 502 : 500),
  ],
  ["hang-head", totalTimeout, firstTokenTimeout],
  ["hang-token", totalTimeout, firstTokenTimeout],
  ["hang-body", { status: 504, code: "idle_timeout" }, broken("idle_timeout")],
  ["reset-body", brokeBefore, cut],
  ["close-body", brokeBefore, cut],
  ["truncated-event", invalid, cut],
  ["truncated-event:0", invalid, brokeBefore],
  ["length-long", brokeBefore, "right"],
  ["length-short", invalid, withoutEnd],
  ["error-event", "right", broken("vendor")],
  ["error-event:0", "right", ({ target }) => vendor(target === "openai" ? 502 : 529)],
  ["no-finish", "right", cut],
  ["no-finish:0", "right", brokeBefore],
  ["no-done", "right", withoutEnd],
  ["gzip", "right", "right"],
  ["split:40", "right", "right"],
  ["split:101", "right", "right"],
  ["crlf", "right", "right"],
  ["until-close", "right", "right"],
  ["slow-head:150", "right", "right"],
  ["slow-token:150", "right", "right"],
  ["pace:50", "right", "right"],
];

interface Seen {
  readonly reading: Reading;
  readonly entry: UsageEntry;
  readonly client: DialectName;
  readonly what: string;
}

function checkRight({ reading, entry, client, what }: Seen): void {
  const { status, text, error, finished, complete, cut: wasCut } = reading;
  // a stream of OpenAI's that passes through without [DONE] ends as the upstream ended it
  const ended = complete || (client === "openai" && entry.targetDialect === "openai" && finished);
  assert.deepEqual([status, text, error, finished, ended, wasCut], [200, TEXT, "", true, true, false], what);
  assert.deepEqual([entry.outcome, entry.status, entry.error], ["ok", 200, ""], what);
  assert.deepEqual([entry.completionTokens, entry.tokensEstimated], [12, false], what);
  assert.ok(entry.promptTokens > 0, what);
}

function checkRefused({ reading, entry, client, what }: Seen, { status, code }: Refused): void {
  assert.deepEqual([reading.status, reading.text, reading.cut], [status, "", false], what);
  assert.equal(reading.headers.get("content-type"), "application/json", what);
  checkErrorShape(client, reading.body, what);
  assert.equal(reading.code, code === "vendor" ? "" : codeIn(client, code), what);
  const outcome = code.endsWith("_timeout") ? "timeout" : "upstream_error";
  const error = code === "vendor" ? "upstream_error" : code;
  assert.deepEqual([entry.outcome, entry.status, entry.error], [outcome, status, error], what);
  assert.equal(entry.completionTokens, 0, what);
}

function checkBroken({ reading, entry, client, what }: Seen, { brokenBy, after: text }: Broken): void {
  assert.deepEqual([reading.status, reading.text, reading.complete, reading.cut], [200, text, false, true], what);
  checkErrorShape(client, reading.body, what);
  assert.equal(reading.code, brokenBy === "vendor" ? "" : codeIn(client, brokenBy), what);
  const outcome = brokenBy === "idle_timeout" ? "timeout" : "broken";
  const error = brokenBy === "vendor" ? "upstream_error" : brokenBy;
  assert.deepEqual([entry.outcome, entry.status, entry.error], [outcome, 200, error], what);
  const tokens = text === TEXT ? 12 : 2;
  assert.deepEqual([entry.completionTokens, entry.tokensEstimated], [tokens, true], what);
  assert.ok(entry.promptTokens > 0, what);
}

async function checkOne(
  fault: string,
  target: DialectName,
  client: DialectName,
  stream: boolean,
  wanted: Expectation,
): Promise<void> {
  const requestId = randomUUID();
  const reading = await read({
    url: world.gateway.url,
    key: world.key,
    dialect: client,
    model: MODELS[target],
    content: `/simulate fault=${fault}\n${TEXT}`,
    stream,
    requestId,
  });
  const entry = await world.gateway.entryOf(requestId);
  const what = `${client} client → ${target}, ${stream ? "stream" : "whole"}: ${JSON.stringify({ ...reading, entry })}`;
  const seen: Seen = { reading, entry, client, what };
  const expected = typeof wanted === "function" ? wanted({ client, target }) : wanted;
  if (expected === "right") checkRight(seen);
  else if ("brokenBy" in expected) checkBroken(seen, expected);
  else checkRefused(seen, expected);
  checkNothingInternal(reading.body + JSON.stringify([...reading.headers]), what);
  assert.doesNotMatch(reading.body, /sk-openai|sk-anthropic/, what);
  assert.equal(entry.attempts, 1, what);
}

describe("an upstream's fault", { concurrency: 6 }, () => {
  for (const [fault, whole, stream] of CASES) {
    test(`${fault} (1)`, async () => {
      const checks = TARGETS.flatMap((target) =>
        (["openai", "anthropic"] as const).flatMap((client) => [
          checkOne(fault, target, client, false, whole),
          checkOne(fault, target, client, true, stream),
        ]),
      );
      const failures = (await Promise.allSettled(checks)).filter((result) => result.status === "rejected");
      assert.deepEqual(
        failures.map(({ reason }) => String(reason)),
        [],
      );
    });
  }
});

test("after all that the gateway answers, follows no redirect and holds nothing", async () => {
  for (const target of TARGETS) {
    const { url } = world.gateway;
    const model = MODELS[target];
    const reading = await read({ url, key: world.key, dialect: "openai", model, content: TEXT, stream: false });
    assert.equal(reading.text, TEXT);
    const stats = await world.simulators[target].waitFor((seen) => seen.live === 0, 1000);
    assert.equal(stats.hitsByPath["/simulate/redirected"], undefined);
  }
});

test("an upstream that goes on after the abort disturbs nobody (11)", async () => {
  const simulator = world.simulators.openai;
  simulator.reset();
  const abort = new AbortController();
  const stream = await world.openai.chat.completions.create(
    {
      model: MODELS.openai,
      stream: true,
      messages: [{ role: "user", content: `/simulate fault=ignore-abort&chunkMs=20\n${TEXT}` }],
    },
    { signal: abort.signal },
  );
  for await (const _chunk of stream) abort.abort();
  const { url } = world.gateway;
  const next = {
    url,
    key: world.key,
    dialect: "openai",
    model: MODELS.openai,
    content: "after",
    stream: false,
  } as const;
  assert.equal((await read(next)).text, "after");
  await simulator.waitFor((seen) => seen.finishedAfterAbort === 1, 2000);
  assert.equal((await read(next)).text, "after");
});

test("a port that refuses connections is an error, and no more once it accepts again", async () => {
  const simulator = world.simulators.anthropic;
  for (const dialect of ["openai", "anthropic"] as const) {
    for (const stream of [false, true]) {
      const { url } = world.gateway;
      const call = { url, key: world.key, dialect, model: MODELS.anthropic, content: "there?", stream };
      await simulator.refuse();
      const requestId = randomUUID();
      const refused = await read({ ...call, requestId });
      assert.deepEqual([refused.status, refused.code], [502, "upstream_unreachable"]);
      checkErrorShape(dialect, refused.body, refused.body);
      checkNothingInternal(refused.body, refused.body);
      const entry = await world.gateway.entryOf(requestId);
      assert.deepEqual([entry.outcome, entry.error, entry.attempts], ["upstream_error", "upstream_unreachable", 1]);
      await simulator.accept();
      assert.equal((await read(call)).text, "there?");
    }
  }
});
