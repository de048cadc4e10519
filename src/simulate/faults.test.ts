import assert from "node:assert/strict";
import { connect } from "node:net";
import { buffer } from "node:stream/consumers";
import test, { after, before, beforeEach } from "node:test";
import { gunzipSync } from "node:zlib";
import { startSimulator, type Simulator } from "./simulator.ts";

let simulator: Simulator;

before(async () => {
  simulator = await startSimulator();
});
beforeEach(() => {
  simulator.reset();
});
after(async () => {
  await simulator.close();
});

const STREAM = { model: "m", stream: true, messages: [{ role: "user", content: "one two three four" }] };
const WHOLE = { ...STREAM, stream: false };
const MESSAGE = {
  model: "m",
  max_tokens: 99,
  stream: true,
  messages: [{ role: "user", content: "one two three four" }],
};

interface Wire {
  readonly bytes: Buffer;
  readonly text: string;
  readonly head: string;
  readonly body: string;
  /** "end" for a FIN, an error code else. */
  readonly end: string;
  readonly ms: number;
}

/** What comes back on the wire, to the byte; gives up listening after `timeoutMs`. */
async function send(body: object, fault: string, path = "/v1/chat/completions", timeoutMs = 2000): Promise<Wire> {
  const payload = JSON.stringify(body);
  const socket = connect(simulator.port, "127.0.0.1");
  const start = performance.now();
  let end = "end";
  socket.on("error", (error: NodeJS.ErrnoException) => {
    end = error.code ?? "";
  });
  socket.setTimeout(timeoutMs, () => {
    end = "silence";
    socket.destroy();
  });
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: h\r\nanthropic-version: 1\r\nx-simulate-fault: ${fault}\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(payload)}\r\n\r\n${payload}`,
  );
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => socket.on("close", resolve));
  const bytes = Buffer.concat(chunks);
  const text = bytes.toString("latin1");
  const split = text.indexOf("\r\n\r\n");
  return { bytes, text, head: text.slice(0, split), body: text.slice(split + 4), end, ms: performance.now() - start };
}

function events(wire: Wire): number {
  return wire.text.split('"content":"').length - 2;
}

test("status, retry-after and words of each dialect", async () => {
  const limited = await send(WHOLE, "status:429,retry-after=7");
  assert.match(limited.head, /^HTTP\/1.1 429[^]*retry-after: 7/);
  assert.match(limited.body, /"code":"rate_limit_exceeded"/);
  const overloaded = await send(MESSAGE, "status:529", "/v1/messages");
  assert.match(overloaded.text, /529[^]*"type":"overloaded_error"/);
  assert.match((await send(WHOLE, "status:503")).text, /503[^]*"server_error"/);
});

test("context overflow in three vendors' words", async () => {
  assert.match((await send(WHOLE, "context-overflow")).body, /"code":"context_length_exceeded"/);
  assert.match((await send(WHOLE, "context-overflow:vllm")).body, /"type":"BadRequestError".*"code":400/);
  assert.match(
    (await send(MESSAGE, "context-overflow", "/v1/messages")).body,
    /prompt is too long: 262960 tokens > 200000 maximum/,
  );
});

test("faults before the head", async () => {
  assert.deepEqual([(await send(WHOLE, "close")).end, (await send(WHOLE, "close")).text], ["end", ""]);
  assert.equal((await send(WHOLE, "reset")).end, "ECONNRESET");
  assert.equal((await send(WHOLE, "hang-head", undefined, 100)).end, "silence");
  const half = await send(WHOLE, "reset-head");
  assert.equal(half.end, "ECONNRESET");
  assert.match(half.text, /^HTTP\/1.1 200 OK\r\ncontent-type: applic$/);
  assert.doesNotMatch((await send(WHOLE, "garbage")).text, /HTTP/);
  assert.match((await send(WHOLE, "redirect:302")).head, /302 Found\r\nlocation: \/simulate\/redirected/);
  assert.ok((await send(WHOLE, "slow-head:80")).ms >= 80);
});

test("answers that are not what they should be", async () => {
  assert.match((await send(WHOLE, "html")).text, /200 OK[^]*text\/html[^]*<html>/);
  assert.throws(() => JSON.parse("{"), SyntaxError);
  assert.match((await send(WHOLE, "not-json")).text, /application\/json[^]*"choices": \[/);
  assert.equal((await send(WHOLE, "empty")).body, "");
  assert.match((await send(WHOLE, "error-200")).text, /200 OK[^]*"error":\{/);
});

test("faults between head and first token", async () => {
  for (const body of [WHOLE, STREAM]) {
    const hung = await send(body, "hang-token", undefined, 100);
    assert.deepEqual([hung.end, hung.body], ["silence", ""]);
    const reset = await send(body, "reset-token");
    assert.deepEqual([reset.end, reset.body], ["ECONNRESET", ""]);
    assert.match(reset.head, /200 OK/);
  }
  const message = await send(MESSAGE, "reset-token", "/v1/messages");
  assert.match(message.text, /message_start/);
  assert.doesNotMatch(message.text, /content_block/);
  assert.ok((await send(STREAM, "slow-token:80")).ms >= 80);
});

test("faults in the middle of a stream", async () => {
  const reset = await send(STREAM, "reset-body:3");
  assert.deepEqual([reset.end, events(reset)], ["ECONNRESET", 3]);
  const closed = await send(STREAM, "close-body:3");
  assert.deepEqual([closed.end, events(closed), closed.text.endsWith("0\r\n\r\n")], ["end", 3, false]);
  const hung = await send(STREAM, "hang-body:1", undefined, 100);
  assert.deepEqual([hung.end, events(hung)], ["silence", 1]);
  const truncated = await send(STREAM, "truncated-event:2");
  assert.match(truncated.text, /data: \{[^\n]*[^\n}]\r\n0\r\n\r\n$/);
  const failed = await send(STREAM, "error-event:2");
  assert.match(failed.text, /"error":\{/);
  assert.doesNotMatch(failed.text, /\[DONE\]/);
  assert.match((await send(MESSAGE, "error-event:0", "/v1/messages")).text, /event: error\ndata: \{"type":"error"/);
});

test("ends that are not the protocol's end", async () => {
  const undone = await send(STREAM, "no-done");
  assert.match(undone.text, /"finish_reason":"stop"/);
  assert.doesNotMatch(undone.text, /\[DONE\]/);
  const unfinished = await send(STREAM, "no-finish:99");
  assert.deepEqual([events(unfinished), unfinished.text.includes('"stop"'), unfinished.end], [5, false, "end"]);
  assert.doesNotMatch((await send(MESSAGE, "no-done", "/v1/messages")).text, /message_stop/);
});

test("half a JSON body", async () => {
  const closed = await send(WHOLE, "close-body");
  const announced = Number(/content-length: (\d+)/.exec(closed.head)?.[1]);
  assert.ok(closed.body.length > 0 && closed.body.length < announced);
  assert.equal((await send(WHOLE, "reset-body")).end, "ECONNRESET");
  const truncated = await send(WHOLE, "truncated-event");
  assert.equal(Number(/content-length: (\d+)/.exec(truncated.head)?.[1]), truncated.body.length);
  assert.throws(() => JSON.parse(truncated.body));
});

test("wrong lengths", async () => {
  for (const body of [WHOLE, STREAM]) {
    const long = await send(body, "length-long");
    assert.equal(Number(/content-length: (\d+)/.exec(long.head)?.[1]) - long.body.length, 10);
    const short = await send(body, "length-short");
    assert.equal(short.body.length - Number(/content-length: (\d+)/.exec(short.head)?.[1]), 10);
  }
});

test("unusual ways of writing leave the content as it is", async () => {
  const plain = await dechunk(await fetchBody(STREAM, ""));
  assert.equal(await dechunk(await fetchBody(STREAM, "split:7")), plain);
  assert.equal((await dechunk(await fetchBody(STREAM, "crlf"))).replaceAll("\r\n", "\n"), plain);
  assert.equal(await dechunk(await fetchBody(STREAM, "until-close")), plain);
  const zipped = await send(STREAM, "gzip");
  assert.match(zipped.head, /content-encoding: gzip/);
  const whole = await send(WHOLE, "gzip,times=1");
  assert.match(whole.head, /content-encoding: gzip/);
  const raw = await fetch(`${simulator.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "x-simulate-fault": "gzip" },
    body: JSON.stringify(STREAM),
  });
  assert.equal(normal(await raw.text()), normal(plain));
  const bytes = whole.bytes.subarray(whole.bytes.indexOf("\r\n\r\n") + 4);
  const first = bytes.subarray(bytes.indexOf("\r\n") + 2);
  assert.throws(() => gunzipSync(first.subarray(0, 4)));
  assert.ok((await send(WHOLE, "trickle:0")).body.length > 300);
  assert.doesNotMatch((await send(STREAM, "until-close")).head, /transfer-encoding|content-length/);
});

async function fetchBody(body: object, fault: string): Promise<Response> {
  return fetch(`${simulator.url}/v1/chat/completions`, {
    method: "POST",
    headers: fault === "" ? {} : { "x-simulate-fault": fault },
    body: JSON.stringify(body),
  });
}

async function dechunk(response: Response): Promise<string> {
  assert.ok(response.body);
  return normal((await buffer(response.body)).toString());
}

/** Two streams of the same answer differ in id and time only. */
function normal(text: string): string {
  return text.replaceAll(/"id":"[^"]*"/g, '"id":""').replaceAll(/"created":\d+/g, '"created":0');
}

test("pace sends a token each so many milliseconds", async () => {
  const arrivals: number[] = [];
  const response = await fetchBody(STREAM, "pace:40");
  assert.ok(response.body);
  for await (const _chunk of response.body) arrivals.push(performance.now());
  const first = arrivals[0] ?? 0;
  const ms = (arrivals.at(-1) ?? 0) - first;
  assert.ok(
    arrivals.length >= 5 && ms >= 150 && ms < 800,
    `${arrivals.length} reads in ${ms} ms for 5 tokens each 40 ms`,
  );
});

test("an abort is seen with time and place, and frees the engine", async () => {
  const abort = new AbortController();
  const body = JSON.stringify({ ...STREAM, model: "m?reply=lorem&tokens=1000&chunkMs=20" });
  const response = await fetch(`${simulator.url}/v1/chat/completions`, { method: "POST", body, signal: abort.signal });
  const reader = response.body?.getReader();
  await reader?.read();
  assert.equal(simulator.stats().running, 1);
  const at = Date.now();
  abort.abort();
  const stats = await simulator.waitFor((seen) => seen.aborted === 1, 500);
  assert.deepEqual([stats.aborts[0]?.phase, stats.running, stats.live], ["answering", 0, 0]);
  assert.ok(Math.abs((stats.aborts[0]?.abortedAt ?? 0) - at) < 200);
});

test("ignore-abort goes on working", async () => {
  const abort = new AbortController();
  const response = await fetch(`${simulator.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "x-simulate-fault": "ignore-abort", "x-simulate": "chunkMs=20" },
    body: JSON.stringify(STREAM),
    signal: abort.signal,
  });
  await response.body?.getReader().read();
  abort.abort();
  const stats = await simulator.waitFor((seen) => seen.finishedAfterAbort === 1, 1000);
  assert.equal(stats.completionTokens, 5);
  assert.equal(stats.aborted, 1);
});

test("rules set from outside, refusing and accepting again", async () => {
  const ask = async (): Promise<number> => (await fetchBody(WHOLE, "")).status;
  const set = await fetch(`${simulator.url}/simulate/faults`, {
    method: "POST",
    body: JSON.stringify({ faults: ["status:500,times=2"] }),
  });
  assert.equal(set.status, 200);
  assert.deepEqual([await ask(), await ask(), await ask()], [500, 500, 200]);
  const wrong = await fetch(`${simulator.url}/simulate/faults`, {
    method: "POST",
    body: JSON.stringify({ faults: ["nonsense"] }),
  });
  assert.equal(wrong.status, 400);
  await simulator.refuse();
  await assert.rejects(ask());
  await simulator.accept();
  assert.equal(await ask(), 200);
});
