/** An upstream that says exactly the bytes a test gives it, for faults that no engine behind an HTTP library can commit. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Ending } from "./harness.ts";

const END_OF_HEAD = "\r\n\r\n";

/** A request as it came. */
export interface RawRequest {
  /** Request line and headers. */
  readonly head: string;
  /** Values by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly socket: Socket;
}

/** Writes an answer, or whatever it likes, to the request's socket. */
export type Script = (request: RawRequest) => void | Promise<void>;

export interface RawUpstream {
  /** `http://127.0.0.1:PORT`, without a path. */
  readonly url: string;
  readonly port: number;
  readonly requests: readonly RawRequest[];
  /** Connections open now. */
  readonly open: number;
  /** What every request gets from now on. */
  answer(script: Script): void;
  /** What the requests with this `x-request-id` get. */
  answerTo(requestId: string, script: Script): void;
  /** How many requests with this id came. */
  hitsOf(requestId: string): number;
}

/** Starts one; it is closed when the test ends. */
export async function startRawUpstream(t: Ending, script: Script = () => {}): Promise<RawUpstream> {
  const requests: RawRequest[] = [];
  const sockets = new Set<Socket>();
  const scripts = new Map<string, Script>();
  let usual = script;
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // the gateway hangs up on much of what is written here
    socket.on("error", () => {});
    readRequests(socket, (request) => {
      requests.push(request);
      const chosen = scripts.get(request.headers.get("x-request-id") ?? "") ?? usual;
      void chosen(request);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    get open() {
      return sockets.size;
    },
    answer: (next) => {
      usual = next;
    },
    answerTo: (requestId, next) => {
      scripts.set(requestId, next);
    },
    hitsOf: (requestId) => requests.filter(({ headers }) => headers.get("x-request-id") === requestId).length,
  };
}

/** Requests of one connection, one after the other, bodies by content-length as Sluice sends them. */
function readRequests(socket: Socket, onRequest: (request: RawRequest) => void): void {
  let held = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    for (;;) {
      const end = held.indexOf(END_OF_HEAD);
      if (end < 0) return;
      const head = held.toString("latin1", 0, end);
      const headers = new Map(
        head
          .split("\r\n")
          .slice(1)
          .map((line): [string, string] => {
            const colon = line.indexOf(":");
            return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
          }),
      );
      const total = end + END_OF_HEAD.length + Number(headers.get("content-length") ?? 0);
      if (held.length < total) return;
      const body = held.toString("utf8", end + END_OF_HEAD.length, total);
      held = held.subarray(total);
      onRequest({ head, headers, body, socket });
    }
  });
}

export interface AnswerOptions {
  readonly status?: number;
  readonly type?: string;
  readonly headers?: readonly string[];
}

/** A whole answer with a right content-length. */
export function wholeAnswer(body: string | Buffer, options: AnswerOptions = {}): Buffer {
  const { status = 200, type = "application/json", headers = [] } = options;
  const bytes = Buffer.from(body);
  const lines = [`HTTP/1.1 ${status} X`, `content-type: ${type}`, ...headers, `content-length: ${bytes.length}`];
  return Buffer.concat([Buffer.from(lines.join("\r\n") + END_OF_HEAD), bytes]);
}

/** The head of a stream in chunked coding. */
export function streamHead(headers: readonly string[] = []): string {
  const lines = ["HTTP/1.1 200 OK", "content-type: text/event-stream", ...headers, "transfer-encoding: chunked"];
  return lines.join("\r\n") + END_OF_HEAD;
}

/** One chunk of chunked coding. */
export function chunk(data: string | Buffer): Buffer {
  const bytes = Buffer.from(data);
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}

/** The end of a body in chunked coding. */
export const LAST_CHUNK = "0\r\n\r\n";

/** A stream in one piece. */
export function wholeStream(body: string | Buffer, headers: readonly string[] = []): Buffer {
  return Buffer.concat([Buffer.from(streamHead(headers)), chunk(body), Buffer.from(LAST_CHUNK)]);
}

/** A script that sends these bytes, each part in a write of its own, some moments apart. */
export function says(...parts: readonly (string | Buffer)[]): Script {
  return async ({ socket }) => {
    for (const [index, part] of parts.entries()) {
      if (index > 0) await sleep(2);
      socket.write(part);
    }
  };
}

/** A script that does the same and then hangs up. */
export function saysAndCloses(...parts: readonly (string | Buffer)[]): Script {
  return async (request) => {
    await says(...parts)(request);
    request.socket.end();
  };
}

/** Waits until the socket is closed, by an error or without one. */
export async function closed(socket: Socket): Promise<void> {
  if (socket.closed) return;
  await new Promise<void>((resolve) => {
    socket.once("close", () => {
      resolve();
    });
  });
}
