import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { HttpSyntaxError } from "./http-syntax-error.ts";
import { RequestParser, type RequestHead } from "./request-parser.ts";

const MAX_HEAD_BYTES = 2_000;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

interface Parsed {
  readonly method: string;
  readonly target: string;
  readonly minorVersion: number;
  readonly headers: Record<string, unknown>;
  readonly keepsAlive: boolean;
  body: string;
  ended: boolean;
}

/** Parses what is cut into pieces at `cuts`, as a connection does: what follows a request is pushed again after `next`. */
function parse(
  bytes: Buffer,
  cuts: readonly number[] = [],
): { requests: Parsed[]; error: HttpSyntaxError | undefined } {
  const requests: Parsed[] = [];
  const parser = new RequestParser(
    {
      onHead({ method, target, minorVersion, headers, keepsAlive }: RequestHead) {
        requests.push({ method, target, minorVersion, headers: { ...headers }, keepsAlive, body: "", ended: false });
      },
      onData(chunk) {
        requests.at(-1)!.body += chunk.toString("latin1");
      },
      onEnd() {
        assert.equal(requests.at(-1)!.ended, false, "a request ends once");
        requests.at(-1)!.ended = true;
      },
    },
    MAX_HEAD_BYTES,
  );
  let start = 0;
  try {
    for (const cut of [...cuts, bytes.length]) {
      const chunk = Buffer.from(bytes.subarray(start, cut));
      for (let at = 0; at < chunk.length;) {
        at = parser.push(chunk, at);
        if (parser.isDone) {
          if (!requests.at(-1)!.keepsAlive) return { requests, error: undefined };
          parser.next();
        }
      }
      start = cut;
    }
  } catch (error) {
    assert.ok(error instanceof HttpSyntaxError, String(error));
    return { requests, error };
  }
  return { requests, error: undefined };
}

const MANY = Buffer.from(
  [
    "\r\n\r\nPOST /v1/chat?a=b HTTP/1.1\r\nHost: x\r\nX-A:1\r\nx-a: \t2 \r\nCookie: a=1\r\ncookie: b=2\r\nContent-Length: 5\r\n\r\nhello",
    "GET * HTTP/1.0\r\nconnection: x, Keep-Alive\r\n\r\n",
    "PUT http://x/y HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n1A;ext=1\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nTrailer: x\r\n\r\n",
    "HEAD /%ff HTTP/1.1\r\nx: \u00a0\u00ff\u00a0\r\nempty:\r\nconnection: a,close\r\n\r\n",
  ].join(""),
  "latin1",
);

test("requests one after the other read the same however they are split", () => {
  const whole = parse(MANY);
  assert.equal(whole.error, undefined);
  assert.deepEqual(
    whole.requests.map(({ method, target, minorVersion, keepsAlive, body }) => [
      method,
      target,
      minorVersion,
      keepsAlive,
      body,
    ]),
    [
      ["POST", "/v1/chat?a=b", 1, true, "hello"],
      ["GET", "*", 0, true, ""],
      ["PUT", "http://x/y", 1, true, "helloabcdefghijklmnopqrstuvwxyz"],
      ["HEAD", "/%ff", 1, false, ""],
    ],
  );
  assert.deepEqual(whole.requests[0]!.headers, { host: "x", "x-a": "1, 2", cookie: "a=1; b=2", "content-length": "5" });
  assert.deepEqual(whole.requests[3]!.headers, { x: "\u00a0\u00ff\u00a0", empty: "", connection: "a,close" });
  for (let first = 1; first < MANY.length; first++) {
    assert.deepEqual(parse(MANY, [first]), whole);
    for (let second = first + 1; second < MANY.length; second += 11) {
      assert.deepEqual(parse(MANY, [first, second]), whole);
    }
  }
  assert.deepEqual(parse(MANY, Array.from(MANY.keys()).slice(1)), whole);
});

test("heads and trailers have a limit, also when they come slowly", () => {
  const endless = [
    `GET / HTTP/1.1\r\nx: ${"a".repeat(MAX_HEAD_BYTES)}\r\n\r\n`,
    `GET /${"a".repeat(MAX_HEAD_BYTES)}`,
    `PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n${"a: b\r\n".repeat(MAX_HEAD_BYTES / 5)}`,
    "\r\n".repeat(MAX_HEAD_BYTES),
  ].map((text) => Buffer.from(text));
  for (const bytes of endless) {
    assert.equal(parse(bytes).error?.reason, "tooLarge");
    assert.equal(parse(bytes, Array.from(bytes.keys()).slice(1)).error?.reason, "tooLarge");
  }
  assert.equal(
    parse(Buffer.from(`GET / HTTP/1.1\r\nx: ${"a".repeat(MAX_HEAD_BYTES - 50)}\r\n\r\n`)).requests.length,
    1,
  );
});

test("extensions of chunks have a limit, together and for each request anew", () => {
  const body = (extensions: number): string => `1;a="${"x".repeat(1_000)}"\r\nx\r\n`.repeat(extensions);
  const request = (extensions: number): string =>
    `PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n${body(extensions)}0\r\n\r\n`;
  const within = parse(Buffer.from(request(16) + request(16)));
  assert.deepEqual([within.requests.map(({ body: { length } }) => length), within.error], [[16, 16], undefined]);
  const beyond = Buffer.from(request(17));
  assert.equal(parse(beyond).error?.reason, "tooLarge");
  assert.equal(parse(beyond, Array.from(beyond.keys()).slice(1)).error?.reason, "tooLarge");
});

test("what a connection remembers of a head does not keep all of it", () => {
  const parsers = Array.from({ length: 500 }, () => {
    const parser = new RequestParser({ onHead() {}, onData() {}, onEnd() {} }, 100_000);
    parser.push(Buffer.from(`GET /a/path/that/is/long HTTP/1.1\r\nx: ${"y".repeat(90_000)}\r\n\r\n`), 0);
    return parser;
  });
  collectGarbage();
  const { heapUsed } = process.memoryUsage();
  assert.ok(parsers.every(({ isDone }) => isDone));
  assert.ok(heapUsed < 40_000_000, `${heapUsed} bytes`);
});

test("what cannot become a request is refused without waiting for more of it", () => {
  for (const text of [
    "\u0016\u0003\u0001",
    "nonsense is none",
    "get / ",
    "GETGETGETGETGET",
    "GET / HTTP/1.1\nhost: x\n",
    "GET / HTTP/1.1\r\nhost: x\rx",
    "GET / HTTP/1.1\r\nhost: x\0",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  ]) {
    assert.equal(parse(Buffer.from(text, "latin1")).error?.reason, "malformed", JSON.stringify(text));
    assert.equal(
      parse(Buffer.from(text, "latin1"), Array.from(text, (_, at) => at).slice(1)).error?.reason,
      "malformed",
    );
  }
  assert.deepEqual(parse(Buffer.from("GET / HTTP/1.1\r\nhost: x\r")), { requests: [], error: undefined });
});

interface Seen {
  readonly method: string;
  readonly target: string;
  readonly headers: Record<string, unknown>;
  body: string;
  ended: boolean;
}

/** What node's own parser makes of bytes: the requests that it has heard of. */
class Oracle {
  readonly #server: Server;
  #seen: Seen[] = [];

  constructor() {
    this.#server = createServer({
      joinDuplicateHeaders: true,
      maxHeaderSize: MAX_HEAD_BYTES,
      requireHostHeader: false,
    });
    this.#server.on("request", (request, response) => {
      const seen: Seen = {
        method: request.method!,
        target: request.url!,
        headers: { ...request.headers },
        body: "",
        ended: false,
      };
      this.#seen.push(seen);
      request.setEncoding("latin1").on("data", (text: string) => {
        seen.body += text;
      });
      request.on("end", () => {
        seen.ended = true;
        response.end();
      });
    });
    this.#server.on("checkContinue", (request, response) => this.#server.emit("request", request, response));
    this.#server.on("checkExpectation", (request, response) => this.#server.emit("request", request, response));
  }

  async start(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async read(bytes: Buffer): Promise<Seen[]> {
    this.#seen = [];
    const socket = connect((this.#server.address() as AddressInfo).port, "127.0.0.1");
    socket.resume();
    socket.on("error", () => {});
    socket.end(bytes);
    await once(socket, "close");
    return this.#seen;
  }
}

const pieces = [
  ..."GET POST HTTP/1.1 HTTP/1.0 / /a ?b * \r\n \r\n\r\n \r \n : ; , \t \0 \u00ff \u0001 0 5 a ff 1a -1 +5 0x5".split(
    " ",
  ),
  " ",
  "  ",
  "\r\nhost: x",
  "\r\ncontent-length: 5",
  "\r\nContent-Length:3",
  "\r\ntransfer-encoding: chunked",
  "\r\nTransfer-Encoding: gzip, chunked",
  "\r\nconnection: keep-alive",
  "\r\nx:y",
  "\r\nx : y",
  "\r\n folded",
  "\r\n\r\nhello",
  "\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  "\r\n\r\n5;x=y\r\nhello\r\n0\r\na: b\r\n\r\n",
  "0\r\n\r\n",
];

/** Requests that are right, and such with something put in, taken out or exchanged. */
const wire = fc
  .tuple(
    fc.array(
      fc.constantFrom(
        "GET /a HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /b HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello",
        "POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
        "GET /d HTTP/1.0\r\nconnection: keep-alive\r\nhost: x\r\n\r\n",
      ),
      { minLength: 1, maxLength: 3 },
    ),
    fc.array(fc.tuple(fc.nat(), fc.nat(4), fc.constantFrom(...pieces)), { maxLength: 3 }),
  )
  .map(([requests, changes]) => {
    let text = requests.join("");
    for (const [place, cut, piece] of changes) {
      const at = place % (text.length + 1);
      text = text.slice(0, at) + piece + text.slice(at + cut);
    }
    return text;
  });

test("whatever is taken for a request here, node's parser takes for the same one", async (t) => {
  const oracle = new Oracle();
  await oracle.start();
  t.after(() => oracle.close());
  await fc.assert(
    fc.asyncProperty(wire, async (text) => {
      const bytes = Buffer.from(text, "latin1");
      const ours = parse(bytes);
      const theirs = await oracle.read(bytes);
      const whole = ours.requests.filter(({ ended }) => ended);
      const known = theirs.slice(0, whole.length);
      assert.deepEqual(
        whole.map(({ method, target, headers, body }) => ({ method, target, headers, body, ended: true })),
        known,
        JSON.stringify(text),
      );
    }),
    { numRuns: 1_500 },
  );
});
