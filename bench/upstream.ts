/**
 * The upstream: plays a model's service over raw sockets, as cheaply as Node can,
 * so that it is never what is measured. What it answers is set by commands (protocol.ts).
 */
import { once } from "node:events";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { MessageReader } from "./http-reader.ts";
import { chatAnswer, streamChunk, streamEnd } from "./payloads.ts";
import type { UpstreamCommand, UpstreamMode, UpstreamStats } from "./protocol.ts";

const COMMON_HEADERS =
  "date: Sun, 01 Nov 2026 00:00:00 GMT\r\nx-request-id: req_7b1c2f0a9d3e4c5b\r\nopenai-processing-ms: 12\r\n";
const STREAM_MARK = Buffer.from('"stream":true');
const USAGE_MARK = Buffer.from('"include_usage":true');
const MAX_KEPT_BODY_BYTES = 128 * 1024;

function wholeAnswer(bytes: number): Buffer {
  const body = chatAnswer(bytes);
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${COMMON_HEADERS}content-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  return Buffer.from(head + body);
}

function httpChunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

const STREAM_HEAD = `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n${COMMON_HEADERS}transfer-encoding: chunked\r\n\r\n`;

interface StreamBytes {
  readonly start: Buffer;
  readonly chunk: Buffer;
  readonly end: Buffer;
}

function streamBytes(usage: "usage" | "none"): StreamBytes {
  const chunk = httpChunk(streamChunk(usage));
  const end = `${httpChunk(streamEnd(usage))}0\r\n\r\n`;
  return { start: Buffer.from(STREAM_HEAD + chunk), chunk: Buffer.from(chunk), end: Buffer.from(end) };
}

const WITH_USAGE = streamBytes("usage");
const WITHOUT_USAGE = streamBytes("none");

let mode: UpstreamMode = { answer: "whole", bytes: 1024 };
let whole = wholeAnswer(1024);
let requests = 0;
let events = 0;
let aborted = 0;
let openConnections = 0;
const streams: Connection[] = [];

class Connection {
  readonly #socket: Socket;
  readonly #reader: MessageReader;
  #body: Buffer[] = [];
  #bodyBytes = 0;
  #bytes: StreamBytes | undefined;
  #index = -1;
  #written = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = new MessageReader(
      { head: () => {}, body: (bytes) => this.#keep(bytes), end: () => this.#answer() },
      "empty",
    );
    socket.on("data", (bytes: Buffer) => this.#reader.push(bytes));
    socket.on("drain", () => saturate());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#closed());
  }

  /** False: its socket has more than it can take. */
  get writable(): boolean {
    return !this.#socket.writableNeedDrain;
  }

  /** Writes one event; ends the stream if that was its last. */
  writeEvent(last: number): void {
    if (this.#bytes === undefined) {
      return;
    }
    this.#socket.write(this.#bytes.chunk);
    events++;
    this.#written++;
    if (last > 0 && this.#written >= last) {
      this.endStream();
    }
  }

  endStream(): void {
    if (this.#bytes !== undefined) {
      this.#socket.write(this.#bytes.end);
      this.#forget();
    }
  }

  #keep(bytes: Buffer): void {
    if (mode.answer === "stream" && this.#bodyBytes < MAX_KEPT_BODY_BYTES) {
      this.#bodyBytes += bytes.length;
      this.#body.push(bytes);
    }
  }

  #answer(): void {
    requests++;
    if (mode.answer === "stream") {
      const body = this.#body.length === 1 ? this.#body[0] : Buffer.concat(this.#body);
      this.#body = [];
      this.#bodyBytes = 0;
      if (body?.includes(STREAM_MARK)) {
        this.#startStream(body.includes(USAGE_MARK) ? WITH_USAGE : WITHOUT_USAGE);
        return;
      }
    }
    this.#socket.write(whole);
  }

  #startStream(bytes: StreamBytes): void {
    events++;
    if (finishing) {
      this.#socket.write(bytes.start);
      this.#socket.write(bytes.end);
      return;
    }
    this.#bytes = bytes;
    this.#written = 1;
    this.#index = streams.push(this) - 1;
    this.#socket.write(bytes.start);
    pump();
  }

  /** Takes the stream out of the list: the last one moves to its place. */
  #forget(): void {
    const moved = streams.pop();
    if (moved !== undefined && moved !== this) {
      streams[this.#index] = moved;
      moved.#index = this.#index;
    }
    this.#bytes = undefined;
  }

  #closed(): void {
    openConnections--;
    if (this.#bytes !== undefined || !this.#reader.idle) {
      aborted++;
    }
    if (this.#bytes !== undefined) {
      this.#forget();
    }
  }
}

let timer: NodeJS.Timeout | undefined;
let lastTick = 0;
let credit = 0;
let turn = 0;
let saturating = false;
/** Set while all streams are to end: one that begins so late ends at once. */
let finishing = false;

/** Sets going what the mode's pace asks for, unless it runs already. */
function pump(): void {
  if (mode.answer !== "stream" || mode.pace.kind === "hold") {
    return;
  }
  if (mode.pace.kind === "saturate") {
    saturate();
  } else if (timer === undefined) {
    lastTick = performance.now();
    credit = 0;
    timer = setInterval(tick, 1);
  }
}

/** Events spread evenly over the streams, in turn; what backpressure holds up is not made up for later. */
function tick(): void {
  if (mode.answer !== "stream" || mode.pace.kind !== "rate" || streams.length === 0) {
    clearInterval(timer);
    timer = undefined;
    return;
  }
  const now = performance.now();
  const limit = streams.length * 5;
  credit = Math.min(limit, credit + ((now - lastTick) * mode.pace.perSecond * streams.length) / 1000);
  lastTick = now;
  let tries = limit;
  while (credit >= 1 && streams.length > 0 && tries-- > 0) {
    turn = turn >= streams.length - 1 ? 0 : turn + 1;
    const stream = streams[turn];
    if (stream?.writable === true) {
      stream.writeEvent(mode.pace.events);
      credit--;
    }
  }
}

function saturate(): void {
  if (!saturating && mode.answer === "stream" && mode.pace.kind === "saturate") {
    saturating = true;
    setImmediate(saturateOnce);
  }
}

function saturateOnce(): void {
  saturating = false;
  if (mode.answer !== "stream" || mode.pace.kind !== "saturate") {
    return;
  }
  let wrote = false;
  // Backwards: a stream that ends leaves its place to the last one, which has had its turn.
  for (let index = streams.length - 1; index >= 0; index--) {
    const stream = streams[index];
    if (stream?.writable === true) {
      stream.writeEvent(mode.pace.events);
      wrote = true;
    }
  }
  if (wrote) {
    saturate();
  }
}

function stats(): UpstreamStats {
  return { requests, events, openStreams: streams.length, openConnections, aborted };
}

/** Does what the bench asks of the upstream. */
export async function handleUpstream(command: UpstreamCommand): Promise<UpstreamStats> {
  if (command.kind === "mode") {
    mode = command.mode;
    finishing = false;
    whole = wholeAnswer(mode.bytes);
    pump();
  } else if (command.kind === "finish") {
    finishing = true;
    for (const stream of streams.slice()) {
      stream.endStream();
    }
  }
  return stats();
}

/** Listens on a port of 127.0.0.1. */
export async function listen(port: number): Promise<void> {
  const server = createServer({ noDelay: true }, (socket) => {
    openConnections++;
    new Connection(socket);
  });
  server.listen({ host: "127.0.0.1", port, backlog: 4096 });
  await once(server, "listening");
}
