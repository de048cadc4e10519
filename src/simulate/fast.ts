/**
 * Fixed answers for benchmarks: nothing is parsed, nothing is built per request. Streams share one ticker, which
 * spreads them over the interval so that chunks leave evenly, and makes up for ticks that came late.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastOptions } from "./options.ts";

const DEFAULT_ANSWER_BYTES = 1024;
const DEFAULT_CHUNKS = 100;
const DEFAULT_CHUNK_TEXT_BYTES = 4;
const TICK_MS = 1;
const STREAM_ASKED = Buffer.from('"stream":true');
const STREAM_ASKED_SPACED = Buffer.from('"stream": true');

const HEAD = {
  id: "chatcmpl-fast",
  object: "chat.completion.chunk",
  created: 1_750_000_000,
  model: "simulated",
};

interface FastStream {
  readonly response: ServerResponse;
  left: number;
}

export class FastAnswers {
  readonly #answer: Buffer;
  readonly #answerHead: string[];
  /** A chunk of HTTP's chunked coding that holds one event. */
  readonly #chunk: Buffer;
  readonly #last: Buffer;
  readonly #chunks: number;
  readonly #chunkMs: number;
  /** One set for each tick of the interval. */
  readonly #spokes: Set<FastStream>[];
  #nextSpoke = 0;
  #ticks = 0;
  #tickedUntil = 0;
  #open = 0;
  #ticker: NodeJS.Timeout | undefined;

  constructor(options: FastOptions) {
    this.#answer = fixedAnswer(options.answerBytes ?? DEFAULT_ANSWER_BYTES);
    this.#answerHead = ["content-type", "application/json", "content-length", String(this.#answer.length)];
    const text = "x".repeat(options.chunkTextBytes ?? DEFAULT_CHUNK_TEXT_BYTES);
    this.#chunk = framed(event({ ...HEAD, choices: [{ index: 0, delta: { content: text }, finish_reason: null }] }));
    const finish = event({ ...HEAD, choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
    this.#chunks = options.chunks ?? DEFAULT_CHUNKS;
    const usage = { prompt_tokens: 500, completion_tokens: this.#chunks, total_tokens: 500 + this.#chunks };
    this.#last = framed(`${finish}${event({ ...HEAD, choices: [], usage })}data: [DONE]\n\n`);
    this.#chunkMs = options.chunkMs ?? 0;
    this.#spokes = Array.from({ length: Math.max(1, Math.round(this.#chunkMs / TICK_MS)) }, () => new Set());
  }

  /** Answers once the request has been read. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    let asked = false;
    request.on("data", (chunk: Buffer) => {
      asked ||= chunk.includes(STREAM_ASKED) || chunk.includes(STREAM_ASKED_SPACED);
    });
    request.on("end", () => {
      if (asked) this.#stream(response);
      else response.writeHead(200, this.#answerHead).end(this.#answer);
    });
  }

  close(): void {
    clearInterval(this.#ticker);
  }

  #stream(response: ServerResponse): void {
    response.writeHead(200, ["content-type", "text/event-stream; charset=utf-8", "transfer-encoding", "chunked"]);
    response.flushHeaders();
    const stream: FastStream = { response, left: this.#chunks };
    if (this.#chunkMs === 0) {
      this.#pour(stream);
      return;
    }
    const spoke = this.#spokes[this.#nextSpoke];
    this.#nextSpoke = (this.#nextSpoke + 1) % this.#spokes.length;
    spoke?.add(stream);
    this.#open += 1;
    response.on("close", () => {
      if (spoke?.delete(stream) === true) this.#leave();
    });
    this.#ticker ??= this.#startTicker();
  }

  #startTicker(): NodeJS.Timeout {
    this.#tickedUntil = performance.now();
    return setInterval(() => {
      this.#tick();
    }, TICK_MS);
  }

  #tick(): void {
    const now = performance.now();
    while (this.#tickedUntil + TICK_MS <= now && this.#ticker !== undefined) {
      this.#tickedUntil += TICK_MS;
      const spoke = this.#spokes[this.#ticks % this.#spokes.length];
      this.#ticks += 1;
      for (const stream of spoke ?? []) {
        if (this.#write(stream)) continue;
        spoke?.delete(stream);
        this.#leave();
      }
    }
  }

  #leave(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  /** Writes a chunk past node's own framing. Returns false when the stream has ended. */
  #write(stream: FastStream): boolean {
    const { response } = stream;
    if (stream.left > 0) {
      stream.left -= 1;
      response.socket?.write(this.#chunk);
      return true;
    }
    response.socket?.write(this.#last);
    response.end();
    return false;
  }

  /** As fast as the reader takes it. */
  #pour(stream: FastStream): void {
    const { socket } = stream.response;
    if (socket === null || socket.destroyed) return;
    while (this.#write(stream)) {
      if (!socket.writableNeedDrain) continue;
      socket.once("drain", () => {
        this.#pour(stream);
      });
      return;
    }
  }
}

function event(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

function framed(text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
}

/** A chat completion of exactly so many bytes, if it can be that short. */
function fixedAnswer(bytes: number): Buffer {
  const encode = (content: string): string =>
    JSON.stringify({
      ...HEAD,
      object: "chat.completion",
      choices: [
        { index: 0, message: { role: "assistant", content, refusal: null }, logprobs: null, finish_reason: "stop" },
      ],
      usage: { prompt_tokens: 500, completion_tokens: 200, total_tokens: 700 },
    });
  return Buffer.from(encode("x".repeat(Math.max(0, bytes - encode("").length))));
}
