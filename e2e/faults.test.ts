/**
 * Every fault an upstream can commit, for each pair of dialects, whole and streamed: the client gets the right answer
 * or an error, never half an answer that looks whole; the request has one entry; the gateway goes on.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test, { after, before } from "node:test";
import type { UsageEntry } from "../src/ledger/entry.ts";
import { read, type Call, type Reading } from "./client.ts";
import { Cleanups } from "./harness.ts";
import { MODELS, startWorld, TARGETS, type World } from "./world.ts";

let world: World;
const cleanups = new Cleanups();
before(async () => {
  world = await startWorld(cleanups, {
    provider: { timeouts: { connect: "1s", firstToken: "600ms", idle: "600ms", total: "2s" } },
  });
});
after(async () => {
  await cleanups.run();
});

const TEXT = "one two three four five six seven eight nine ten";

/** `right`: the whole answer; `error`: an error; `either`: whichever, but not half of one. */
type Expected = "right" | "error" | "either";
interface FaultCase {
  readonly fault: string;
  readonly whole: Expected;
  readonly stream: Expected;
}

const CASES: readonly FaultCase[] = [
  { fault: "status:500", whole: "error", stream: "error" },
  { fault: "close", whole: "error", stream: "error" },
  { fault: "reset", whole: "error", stream: "error" },
  { fault: "reset-head", whole: "error", stream: "error" },
  { fault: "garbage", whole: "error", stream: "error" },
  { fault: "html", whole: "error", stream: "error" },
  { fault: "not-json", whole: "error", stream: "error" },
  { fault: "empty", whole: "error", stream: "error" },
  { fault: "redirect:302", whole: "error", stream: "error" },
  { fault: "redirect:307", whole: "error", stream: "error" },
  { fault: "error-200", whole: "error", stream: "error" },
  { fault: "hang-head", whole: "error", stream: "error" },
  { fault: "hang-token", whole: "error", stream: "error" },
  { fault: "hang-body", whole: "error", stream: "error" },
  { fault: "reset-token", whole: "error", stream: "error" },
  { fault: "reset-body", whole: "error", stream: "error" },
  { fault: "close-body", whole: "error", stream: "error" },
  { fault: "truncated-event", whole: "error", stream: "error" },
  { fault: "length-long", whole: "error", stream: "either" },
  { fault: "length-short", whole: "error", stream: "either" },
  { fault: "error-event", whole: "right", stream: "error" },
  { fault: "no-done", whole: "right", stream: "either" },
  { fault: "no-finish", whole: "right", stream: "error" },
  { fault: "gzip", whole: "right", stream: "right" },
  { fault: "split:3", whole: "right", stream: "right" },
  { fault: "crlf", whole: "right", stream: "right" },
  { fault: "until-close", whole: "right", stream: "right" },
  { fault: "slow-head:200", whole: "right", stream: "right" },
  { fault: "slow-token:200", whole: "right", stream: "right" },
  { fault: "pace:60", whole: "right", stream: "right" },
];

function check(reading: Reading, expected: Expected, entry: UsageEntry): void {
  // A stream that passes through ends as the upstream ended it: with its finish reason, if not with [DONE].
  const ended = reading.complete || (entry.clientDialect === entry.targetDialect && reading.finished);
  const right =
    reading.status === 200 &&
    reading.text === TEXT &&
    reading.error === "" &&
    reading.finished &&
    ended &&
    !reading.cut;
  const failed = reading.error !== "" && (reading.status >= 500 || !reading.complete);
  const seen = JSON.stringify({ ...reading, body: reading.body.slice(-300), entry });
  if (expected === "right") assert.ok(right, seen);
  else if (expected === "error") assert.ok(failed, seen);
  else assert.ok(right || failed, seen);
  assert.ok(TEXT.startsWith(reading.text), `text that the model did not say: ${seen}`);
  assert.doesNotMatch(reading.body, /127\.0\.0\.1|sk-openai|sk-anthropic|undici|ECONN/, "internals must not leak");
  if (right) assert.equal(entry.outcome, "ok", seen);
  else assert.ok(["upstream_error", "broken", "timeout"].includes(entry.outcome), seen);
  assert.equal(entry.attempts, 1, seen);
}

for (const { fault, whole, stream } of CASES) {
  test(`an upstream's fault: ${fault}`, async () => {
    const checks = TARGETS.flatMap((target) =>
      (["openai", "anthropic"] as const).flatMap((dialect) =>
        [true, false].map(async (streaming): Promise<void> => {
          const requestId = randomUUID();
          const call: Call = {
            url: world.gateway.url,
            key: world.key,
            dialect,
            model: MODELS[target],
            content: `/simulate fault=${fault}\n${TEXT}`,
            stream: streaming,
            requestId,
          };
          const reading = await read(call);
          const entry = await world.gateway.entryOf(requestId);
          try {
            check(reading, streaming ? stream : whole, entry);
          } catch (error) {
            const what = `${dialect} client → ${target}, ${streaming ? "stream" : "whole"}`;
            throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
          }
        }),
      ),
    );
    const failures = (await Promise.allSettled(checks)).filter((result) => result.status === "rejected");
    assert.deepEqual(
      failures.map(({ reason }) => String(reason)),
      [],
    );
  });
}

test("after all that the gateway answers, follows no redirect and holds nothing", async () => {
  for (const target of TARGETS) {
    const { url } = world.gateway;
    const reading = await read({
      url,
      key: world.key,
      dialect: "openai",
      model: MODELS[target],
      content: TEXT,
      stream: false,
    });
    assert.equal(reading.text, TEXT);
    const stats = await world.simulators[target].waitFor((seen) => seen.live === 0, 1000);
    assert.equal(stats.hitsByPath["/simulate/redirected"], undefined);
  }
});

test("an upstream that goes on after the abort disturbs nobody", async () => {
  const vendor = world.simulators.openai;
  vendor.reset();
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
  const next = {
    url: world.gateway.url,
    key: world.key,
    dialect: "openai",
    model: MODELS.openai,
    content: "after",
    stream: false,
  } as const;
  assert.equal((await read(next)).text, "after");
  await vendor.waitFor((seen) => seen.finishedAfterAbort === 1, 2000);
  assert.equal((await read(next)).text, "after");
});

test("a port that refuses connections is an error, and no more once it accepts again", async () => {
  const vendor = world.simulators.anthropic;
  const call = {
    url: world.gateway.url,
    key: world.key,
    dialect: "anthropic",
    model: MODELS.anthropic,
    content: "there?",
    stream: false,
  } as const;
  await vendor.refuse();
  const refused = await read(call);
  assert.deepEqual([refused.status, refused.code], [502, "upstream_unreachable"]);
  await vendor.accept();
  assert.equal((await read(call)).text, "there?");
});
