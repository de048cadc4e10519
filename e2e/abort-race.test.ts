/**
 * 2,000 clients that leave at random moments, by FIN or by RST, out of streams and whole answers: each request that got
 * anywhere has one entry, nothing goes on upstream, and nothing is left behind in the gateway (3, 11).
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startSimulator, type Simulator } from "../src/simulate/simulator.ts";
import { closed } from "./raw-upstream.ts";
import { Cleanups, startGateway, testKey, until, type RunningGateway } from "./harness.ts";

const ABORTS = 2_000;
const AT_ONCE = 40;
/** An answer takes about 20 ms on an idle machine. */
const SIMULATOR = { decodeMs: 2, recordLimit: 2 * ABORTS };
const DIALECTS = ["openai", "anthropic"] as const;

const { key, hash } = testKey("abort race");
let gateway: RunningGateway;
let simulators: readonly Simulator[];
const cleanups = new Cleanups();
before(async () => {
  simulators = await Promise.all(DIALECTS.map(async (dialect) => startSimulator({ dialect, ...SIMULATOR })));
  cleanups.after(async () => {
    await Promise.all(simulators.map(async (simulator) => simulator.close()));
  });
  gateway = await startGateway(cleanups, {
    workers: 2,
    config: {
      providers: DIALECTS.map((dialect, index) => ({
        name: dialect,
        dialect,
        baseUrl: simulators[index]!.url + (dialect === "openai" ? "/v1" : ""),
      })),
      models: DIALECTS.map((dialect) => ({ name: dialect, targets: [{ provider: dialect, model: "m" }] })),
      consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
    },
  });
});
after(async () => {
  await cleanups.run();
});

/** The same numbers in each run. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Left {
  readonly requestId: string;
  /** The client had the answer's end before it left. */
  readonly finished: boolean;
  readonly ms: number;
}

/** Sends a request and leaves at a random moment, at the answer's end at the latest. */
async function leave(requestId: string, random: () => number, longestMs: number): Promise<Left> {
  const isOpenai = random() < 0.5;
  const stream = random() < 0.6;
  const model = random() < 0.5 ? "openai" : "anthropic";
  const body = JSON.stringify({
    model,
    stream,
    max_tokens: 50,
    messages: [{ role: "user", content: "a b c d e f g h i j" }],
  });
  const [afterMs, byReset] = [random() * longestMs, random() < 0.5];
  const socket = connect(gateway.port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  let text = "";
  socket.on("data", (bytes: Buffer) => {
    text += bytes.toString("latin1");
  });
  const path = isOpenai ? "/v1/chat/completions" : "/v1/messages";
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\nx-request-id: ${requestId}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  const start = performance.now();
  while (performance.now() - start < afterMs && !isWhole(text, stream)) await sleep(Math.min(5, afterMs));
  if (byReset) socket.resetAndDestroy();
  else await ended(socket);
  return { requestId, finished: isWhole(text, stream), ms: performance.now() - start };
}

function isWhole(text: string, stream: boolean): boolean {
  return stream ? text.endsWith("\r\n0\r\n\r\n") : /"(?:total_tokens|output_tokens)":/.test(text);
}

async function ended(socket: Socket): Promise<void> {
  socket.end();
  await Promise.race([closed(socket), sleep(2000)]);
  socket.destroy();
}

async function run(name: string, count: number, longestMs: number): Promise<Left[]> {
  const random = randomNumbers(count);
  const left: Left[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < count) left.push(await leave(`${name}-${next++}`, random, longestMs));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  return left;
}

interface Holdings {
  readonly residentMiB: number;
  readonly handles: number;
}

/** What the process holds; nothing is said where the system does not tell. */
function holdings(): Holdings {
  const directory = `/proc/${gateway.process.pid}`;
  if (!existsSync(directory)) return { residentMiB: 0, handles: 0 };
  const status = readFileSync(`${directory}/status`, "utf8");
  return {
    residentMiB: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024,
    handles: readdirSync(`${directory}/fd`).length,
  };
}

async function slotsInUse(): Promise<number> {
  const metrics = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const slots = [...metrics.matchAll(/^sluice_ledger_slots_in_use\{[^}]*\} (\d+)$/gm)];
  assert.equal(slots.length, 2);
  return slots.reduce((sum, [, value]) => sum + Number(value), 0);
}

test("2,000 random aborts: entries are exact, and all is given back (3, 11)", async () => {
  const warmUp = await run("warm-up", 500, Infinity);
  assert.ok(warmUp.every(({ finished }) => finished));
  // a third of the clients may stay for as long as an answer takes here and now
  const usualMs = warmUp.map(({ ms }) => ms).toSorted((one, other) => one - other)[250]!;
  const idle = holdings();
  const left = await run("race", ABORTS, 1.5 * usualMs);
  const leftAt = performance.now();
  for (const simulator of simulators) await simulator.waitFor((stats) => stats.live === 0 && stats.running === 0, 1000);
  await until("all slots of the ledger closed", async () => ((await slotsInUse()) === 0 ? true : undefined), 2000);
  assert.ok(performance.now() - leftAt < 2000);
  await sleep(300);

  const entries = (await gateway.entries()).filter(({ requestId }) => requestId.startsWith("race-"));
  const ids = new Set(entries.map(({ requestId }) => requestId));
  assert.equal(ids.size, entries.length, "no request has two entries");
  const upstream = simulators.flatMap((simulator) => simulator.requests()).map(idOf);
  const reached = upstream.filter((id) => id.startsWith("race-"));
  assert.equal(new Set(reached).size, reached.length, "nothing is retried because its client left");
  const attempts = new Map(entries.map((entry) => [entry.requestId, entry.attempts]));
  const unknown = reached.filter((id) => attempts.get(id) !== 1);
  assert.deepEqual(unknown, [], "what reached an upstream has an entry that says so");
  // what a reset overtook before the gateway read it never was a request
  assert.ok(entries.length <= ABORTS && entries.length > 0.95 * ABORTS, `${entries.length} entries`);
  assert.ok(reached.length > ABORTS / 2, `${reached.length} reached an upstream`);

  const outcomes = new Map(entries.map(({ requestId, outcome }) => [requestId, outcome]));
  const count = (outcome: string): number => entries.filter((entry) => entry.outcome === outcome).length;
  assert.equal(count("ok") + count("aborted"), entries.length, JSON.stringify([...new Set(outcomes.values())]));
  assert.ok(
    count("aborted") > ABORTS / 5 && count("ok") > ABORTS / 50,
    `${count("ok")} ok, ${count("aborted")} aborted`,
  );
  for (const { requestId, finished } of left) {
    if (finished) assert.equal(outcomes.get(requestId), "ok", `${requestId} had its answer`);
  }
  const untold = entries.filter(
    (entry) => entry.attempts === 1 && reached.includes(entry.requestId) && entry.promptTokens === 0,
  );
  assert.deepEqual(untold, [], "the upstream has read these prompts");

  await until("the handles given back", () => (holdings().handles <= idle.handles + 4 ? true : undefined), 8000);
  const grown = holdings().residentMiB - idle.residentMiB;
  assert.ok(grown < 80, `the process grew by ${grown} MiB`);
  assert.ok(!gateway.log().includes('"level":"error"'), gateway.log());
});

function idOf({ rawHeaders }: ReturnType<Simulator["requests"]>[number]): string {
  return rawHeaders.find(([name]) => name.toLowerCase() === "x-request-id")?.[1] ?? "";
}
