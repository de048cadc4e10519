/** A stream cut into chunks at every byte, within characters too: the client's stream and the usage are the same (12). */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { DialectName } from "../src/dialects/form.ts";
import type { UsageEntry } from "../src/ledger/entry.ts";
import { CANNED_USAGE, cannedEvents } from "./canned.ts";
import { read, type Reading } from "./client.ts";
import { Cleanups } from "./harness.ts";
import { PAIRS, startRawWorld, type Pair, type RawWorld } from "./raw-world.ts";
import { chunk, LAST_CHUNK, streamHead, type Script } from "./raw-upstream.ts";

const PIECES = ["Grüße ", "世界 ", "👋"];
const TEXT = PIECES.join("");
/** Requests under way at once. */
const AT_ONCE = 24;

let world: RawWorld;
const cleanups = new Cleanups();
before(async () => {
  world = await startRawWorld(cleanups, { timeouts: { firstToken: "10s", idle: "10s", total: "20s" } });
});
after(async () => {
  await cleanups.run();
});

/** Ways to write the same events. */
const SPELLINGS = {
  lf: (events: string): string => events,
  crlf: (events: string): string =>
    events
      .replaceAll("\n\n", "\n\n: comment – ✓\n\n")
      .replaceAll("data:", ": in between\ndata:")
      .replaceAll("\n", "\r\n"),
} as const;
type Spelling = keyof typeof SPELLINGS;

const eventsOf = (target: DialectName, spelling: Spelling): Buffer =>
  Buffer.from(SPELLINGS[spelling](cannedEvents(target, PIECES)));

/** HTTP chunks are handed on one by one, so that these cuts hold wherever TCP may cut. */
function inChunks(parts: readonly Buffer[]): Script {
  const bytes = Buffer.concat([Buffer.from(streamHead()), ...parts.map(chunk), Buffer.from(LAST_CHUNK)]);
  return ({ socket }) => {
    socket.write(bytes);
  };
}

async function ask({ client, target }: Pair, requestId: string, parts: readonly Buffer[]): Promise<Reading> {
  world.upstreams[target].answerTo(requestId, inChunks(parts));
  const { url } = world.gateway;
  return read({ url, key: world.key, dialect: client, model: target, content: "hi", stream: true, requestId });
}

/**
 * The events and comments, line by line. An answer that is converted to OpenAI's dialect says the second in which it was
 * made. A CRLF that was cut may leave an empty line, or miss its LF at the very end: that means nothing.
 */
const comparable = ({ body }: Reading): string =>
  body
    .replaceAll(/"created":\d+/g, '"created":0')
    .replaceAll(/\r\n?/g, "\n")
    .replaceAll(/\n{3,}/g, "\n\n");

function checkEntry({ outcome, promptTokens, completionTokens, tokensEstimated, requestId }: UsageEntry): void {
  assert.deepEqual(
    { outcome, promptTokens, completionTokens, tokensEstimated },
    {
      outcome: "ok",
      promptTokens: CANNED_USAGE.prompt,
      completionTokens: CANNED_USAGE.completion,
      tokensEstimated: false,
    },
    requestId,
  );
}

for (const spelling of ["lf", "crlf"] as const) {
  for (const pair of PAIRS) {
    const name = `${pair.client} client → ${pair.target}, ${spelling}`;
    test(`${name}: cut in two at each byte, and into single bytes (12)`, async () => {
      const events = eventsOf(pair.target, spelling);
      const entriesBefore = (await world.gateway.entries()).length;
      const prefix = `${pair.client}-${pair.target}-${spelling}`;
      const whole = await ask(pair, `${prefix}-whole`, [events]);
      assert.deepEqual([whole.text, whole.complete, whole.cut, whole.error], [TEXT, true, false, ""]);
      const single = await ask(
        pair,
        `${prefix}-single`,
        Array.from(events, (_byte, at) => events.subarray(at, at + 1)),
      );
      assert.equal(comparable(single), comparable(whole));
      let next = 1;
      const worker = async (): Promise<void> => {
        for (let at = next++; at < events.length; at = next++) {
          const requestId = `${prefix}-${at}`;
          const reading = await ask(pair, requestId, [events.subarray(0, at), events.subarray(at)]);
          assert.equal(comparable(reading), comparable(whole), `cut at byte ${at}`);
          assert.equal(reading.cut, false, `cut at byte ${at}`);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      const entries = await world.gateway.waitForEntries(entriesBefore + events.length + 1);
      entries.slice(entriesBefore).forEach(checkEntry);
      assert.equal(entries.length, entriesBefore + events.length + 1);
    });
  }
}
