/**
 * An upstream that fails before its first token: the next one serves, and what the client gets is, byte for byte, what
 * it would have got of that one alone. After the first token nothing is tried again (1).
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import type { DialectName } from "../src/dialects/form.ts";
import type { JsonObject } from "../src/lib/json.ts";
import { cannedAnswer, cannedEvents, cannedStream } from "./canned.ts";
import { read, type Reading } from "./client.ts";
import { checkErrorShape } from "./error-shape.ts";
import { Cleanups, startGateway, testKey, type RunningGateway } from "./harness.ts";
import {
  chunk,
  LAST_CHUNK,
  says,
  saysAndCloses,
  startRawUpstream,
  streamHead,
  wholeAnswer,
  wholeStream,
  type RawUpstream,
  type Script,
} from "./raw-upstream.ts";

const DIALECTS = ["openai", "anthropic"] as const;
const { key, hash } = testKey("first-token");
let gateway: RunningGateway;
let failing: Record<DialectName, RawUpstream>;
let serving: Record<DialectName, RawUpstream>;
const cleanups = new Cleanups();
before(async () => {
  const start = async (): Promise<RawUpstream> => startRawUpstream(cleanups);
  failing = { openai: await start(), anthropic: await start() };
  serving = { openai: await start(), anthropic: await start() };
  for (const dialect of DIALECTS) serving[dialect].answer(rightScript(dialect));
  const provider = (name: string, dialect: DialectName, { url }: RawUpstream): JsonObject => ({
    name: `${name}-${dialect}`,
    dialect,
    baseUrl: url + (dialect === "openai" ? "/v1" : ""),
    timeouts: { connect: "1s", firstToken: "1s", idle: "1s", total: "10s" },
  });
  const target = (name: string, priority: number): JsonObject => ({ provider: name, model: "vendor-model", priority });
  gateway = await startGateway(cleanups, {
    config: {
      providers: DIALECTS.flatMap((dialect) => [
        provider("failing", dialect, failing[dialect]),
        provider("serving", dialect, serving[dialect]),
      ]),
      models: [
        ...DIALECTS.map((dialect) => ({ name: `alone-${dialect}`, targets: [target(`serving-${dialect}`, 0)] })),
        ...DIALECTS.flatMap((first) =>
          DIALECTS.flatMap((second) => [
            {
              name: `priority-${first}-${second}`,
              targets: [target(`failing-${first}`, 0), target(`serving-${second}`, 1)],
            },
            {
              name: `fallback-${first}-${second}`,
              targets: [target(`failing-${first}`, 0)],
              fallbacks: [`alone-${second}`],
            },
          ]),
        ),
      ],
      consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
    },
  });
});
after(async () => {
  await cleanups.run();
});

const PIECES = ["Es ", "wäre ", "schön."];

function rightScript(dialect: DialectName): Script {
  return async (request) => {
    const isStream = request.body.includes('"stream":true');
    const body = isStream ? wholeStream(cannedEvents(dialect, PIECES)) : wholeAnswer(cannedAnswer(dialect, "Schön."));
    await says(body)(request);
  };
}

interface Failure {
  readonly name: string;
  /** Which requests it can befall. */
  readonly kinds: readonly ("stream" | "whole")[];
  readonly script: (dialect: DialectName) => Script;
}

const BOTH = ["stream", "whole"] as const;
const STREAM = ["stream"] as const;
const opening = (dialect: DialectName): Buffer => chunk(cannedStream(dialect, []).opening);
const errorEvent = (dialect: DialectName): string =>
  dialect === "openai"
    ? 'data: {"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}\n\n'
    : 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n';
const reset: Script = ({ socket }) => {
  socket.resetAndDestroy();
};

const BEFORE: readonly Failure[] = [
  { name: "a close without a word", kinds: BOTH, script: () => saysAndCloses() },
  { name: "a reset without a word", kinds: BOTH, script: () => reset },
  { name: "half a head", kinds: BOTH, script: () => saysAndCloses("HTTP/1.1 200 OK\r\ncontent-ty") },
  { name: "no HTTP", kinds: BOTH, script: () => says("\u0016\u0003\u0001\r\n\r\n") },
  { name: "500", kinds: BOTH, script: () => says(wholeAnswer('{"error":{"message":"oops"}}', { status: 500 })) },
  {
    name: "503 of a proxy",
    kinds: BOTH,
    script: () => says(wholeAnswer("<html>", { status: 503, type: "text/html" })),
  },
  {
    name: "429",
    kinds: BOTH,
    script: () => says(wholeAnswer('{"error":{"message":"later"}}', { status: 429, headers: ["retry-after: 0"] })),
  },
  { name: "529", kinds: BOTH, script: () => says(wholeAnswer("", { status: 529 })) },
  { name: "a redirect", kinds: BOTH, script: () => says(wholeAnswer("", { status: 307, headers: ["location: /v2"] })) },
  { name: "HTML", kinds: BOTH, script: () => says(wholeAnswer("<html>", { type: "text/html" })) },
  {
    name: "an error with 200",
    kinds: BOTH,
    script: () => says(wholeAnswer('{"error":{"message":"oops","code":500}}')),
  },
  { name: "an empty 200", kinds: BOTH, script: () => says(wholeAnswer("")) },
  {
    name: "half an answer",
    kinds: BOTH,
    script: (dialect) => saysAndCloses(wholeAnswer(cannedAnswer(dialect, "x")).subarray(0, 200)),
  },
  {
    name: "spoilt gzip",
    kinds: BOTH,
    script: () => says(wholeAnswer(gzipSync("{}").subarray(4), { headers: ["content-encoding: gzip"] })),
  },
  { name: "no answer", kinds: STREAM, script: () => says() },
  { name: "a head and no more", kinds: STREAM, script: () => says(streamHead()) },
  { name: "a head and a close", kinds: STREAM, script: () => saysAndCloses(streamHead()) },
  { name: "a beginning and no more", kinds: STREAM, script: (dialect) => says(streamHead(), opening(dialect)) },
  {
    name: "a beginning and a reset",
    kinds: STREAM,
    script: (dialect) => async (request) => {
      request.socket.write(streamHead());
      request.socket.write(opening(dialect));
      await sleep(20);
      await reset(request);
    },
  },
  {
    name: "a beginning and an end",
    kinds: STREAM,
    script: (dialect) => says(streamHead(), opening(dialect), LAST_CHUNK),
  },
  {
    name: "a beginning and bad framing",
    kinds: STREAM,
    script: (dialect) => says(streamHead(), opening(dialect), "?\r\n"),
  },
  {
    name: "a beginning and an error event",
    kinds: STREAM,
    script: (dialect) => says(streamHead(), opening(dialect), chunk(errorEvent(dialect)), LAST_CHUNK),
  },
  {
    name: "half of the first token",
    kinds: STREAM,
    script: (dialect) =>
      says(streamHead(), opening(dialect), chunk(cannedStream(dialect, PIECES).pieces[0]!.slice(0, -10)), LAST_CHUNK),
  },
  { name: "an error event at once", kinds: STREAM, script: (dialect) => says(wholeStream(errorEvent(dialect))) },
  { name: "comments only", kinds: STREAM, script: () => says(wholeStream(": hello\n\n: bye\n\n")) },
  { name: "[DONE] only", kinds: STREAM, script: () => says(wholeStream("data: [DONE]\n\n")) },
  { name: "a whole answer", kinds: STREAM, script: (dialect) => says(wholeAnswer(cannedAnswer(dialect, "x"))) },
];

async function ask(client: DialectName, model: string, stream: boolean, requestId: string): Promise<Reading> {
  return read({ url: gateway.url, key, dialect: client, model, content: "hi", stream, requestId });
}

/** What may differ between two answers: the model's name as the client said it, and the second it was made in. */
function comparable({ body, headers, status, cut }: Reading, model: string): object {
  const text = body.replaceAll(JSON.stringify(model), '"MODEL"').replaceAll(/"created":\d+/g, '"created":0');
  const names = [...headers].filter(([name]) => name !== "date" && name !== "content-length");
  return { text, names, status, cut };
}

async function checkHidden(
  failure: Failure,
  client: DialectName,
  first: DialectName,
  second: DialectName,
): Promise<void> {
  for (const kind of failure.kinds) {
    for (const way of ["priority", "fallback"]) {
      const stream = kind === "stream";
      const requestId = randomUUID();
      failing[first].answerTo(requestId, failure.script(first));
      const model = `${way}-${first}-${second}`;
      const got = await ask(client, model, stream, requestId);
      const alone = await ask(client, `alone-${second}`, stream, requestId);
      const what = `${client} client, ${kind}, ${model}`;
      assert.deepEqual(comparable(got, model), comparable(alone, `alone-${second}`), what);
      assert.deepEqual([got.text, got.complete], [stream ? PIECES.join("") : "Schön.", true], what);
      assert.deepEqual([failing[first].hitsOf(requestId), serving[second].hitsOf(requestId)], [1, 2], what);
      const entries = (await gateway.waitForEntries(1)).filter((entry) => entry.requestId === requestId);
      assert.ok(
        entries.every(({ outcome, tokensEstimated }) => outcome === "ok" && !tokensEstimated),
        what,
      );
    }
  }
}

describe("before the first token", { concurrency: 4 }, () => {
  for (const failure of BEFORE) {
    test(`${failure.name}: another target serves, byte for byte (1)`, async () => {
      await Promise.all(
        DIALECTS.flatMap((client) =>
          DIALECTS.flatMap((first) => DIALECTS.map(async (second) => checkHidden(failure, client, first, second))),
        ),
      );
    });
  }
});

const AFTER: readonly Failure[] = [
  {
    name: "a close",
    kinds: STREAM,
    script:
      () =>
      ({ socket }) => {
        socket.end();
      },
  },
  { name: "a reset", kinds: STREAM, script: () => reset },
  { name: "an end without end", kinds: STREAM, script: () => says(LAST_CHUNK) },
  { name: "silence", kinds: STREAM, script: () => says() },
  { name: "an error event", kinds: STREAM, script: (dialect) => says(chunk(errorEvent(dialect))) },
  { name: "bad framing", kinds: STREAM, script: () => says("?\r\n") },
  { name: "half an event", kinds: STREAM, script: () => says(chunk('data: {"id":'), LAST_CHUNK) },
];

async function checkTold(
  failure: Failure,
  client: DialectName,
  first: DialectName,
  second: DialectName,
): Promise<void> {
  const requestId = randomUUID();
  failing[first].answerTo(requestId, async (request) => {
    request.socket.write(
      streamHead() + opening(first).toString() + chunk(cannedStream(first, PIECES).pieces[0]!).toString(),
    );
    await sleep(20);
    await failure.script(first)(request);
  });
  const model = `priority-${first}-${second}`;
  const got = await ask(client, model, true, requestId);
  const what = `${client} client, ${model}: ${JSON.stringify(got)}`;
  assert.deepEqual([got.text, got.finished, got.complete, got.cut], [PIECES[0], false, false, true], what);
  checkErrorShape(client, got.body, what);
  assert.deepEqual([failing[first].hitsOf(requestId), serving[second].hitsOf(requestId)], [1, 0], what);
  const entry = await gateway.entryOf(requestId);
  assert.deepEqual([entry.attempts, entry.completionTokens, entry.tokensEstimated], [1, 1, true], what);
}

describe("after the first token", { concurrency: 6 }, () => {
  for (const failure of AFTER) {
    test(`${failure.name}: an error event, a cut, and no other target (1)`, async () => {
      await Promise.all(
        DIALECTS.flatMap((client) =>
          DIALECTS.flatMap((first) => DIALECTS.map(async (second) => checkTold(failure, client, first, second))),
        ),
      );
    });
  }
});
