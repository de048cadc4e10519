/**
 * Canaries in credentials, keys, hashes and headers, and upstreams that say back everything they were told, in every way
 * of failing, with debug logging on: no canary is in an answer, on standard output or error, in the access log, or on the
 * admin port (25).
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import type { DialectName } from "../src/dialects/form.ts";
import type { JsonObject } from "../src/lib/json.ts";
import { cannedStream } from "./canned.ts";
import { read } from "./client.ts";
import { Cleanups, startGateway, testKey, type RunningGateway } from "./harness.ts";
import { nameOf, PAIRS } from "./raw-world.ts";
import {
  chunk,
  says,
  saysAndCloses,
  startRawUpstream,
  streamHead,
  wholeAnswer,
  wholeStream,
  type RawRequest,
  type RawUpstream,
  type Script,
} from "./raw-upstream.ts";

const CANARIES = {
  // of no shape that a pattern could know, of a usual one, and with characters that JSON and regular expressions escape
  openaiCredential: "canary0credential0of0no0shape",
  anthropicCredential: "sk-ant-canary-0123456789abcdef",
  oddCredential: 'canary/odd+"credential"(.*)=',
  header: "canary-in-a-header-5150",
  bearer: "canary-in-a-second-header-5151",
} as const;
const { key, hash } = testKey("secrets");
let gateway: RunningGateway;
let upstreams: Record<DialectName, RawUpstream>;
let output = "";
const cleanups = new Cleanups();
before(async () => {
  upstreams = { openai: await startRawUpstream(cleanups), anthropic: await startRawUpstream(cleanups) };
  const provider = (name: string, dialect: DialectName, apiKey: string): JsonObject => ({
    name,
    dialect,
    baseUrl: upstreams[dialect].url + (dialect === "openai" ? "/v1" : ""),
    credentials: [{ name: "main", apiKey }],
    headers: { "x-extra-key": CANARIES.header, "proxy-authorization": `Basic ${CANARIES.bearer}` },
    timeouts: { connect: "1s", firstToken: "300ms", idle: "300ms", total: "1s" },
  });
  gateway = await startGateway(cleanups, {
    environment: { SLUICE_LOG_LEVEL: "debug" },
    config: {
      providers: [
        provider("openai", "openai", CANARIES.openaiCredential),
        provider("anthropic", "anthropic", CANARIES.anthropicCredential),
        provider("odd", "openai", CANARIES.oddCredential),
      ],
      models: ["openai", "anthropic", "odd"].map((name) => ({
        name,
        targets: [{ provider: name, model: "m" }],
        retry: { attempts: 0 },
      })),
      consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
    },
  });
  gateway.process.stdout?.on("data", (bytes: Buffer) => {
    output += bytes.toString();
  });
});
after(async () => {
  await cleanups.run();
});

/** Everything that must not be seen, also as it stands inside a JSON string. */
const SECRETS = [...Object.values(CANARIES), key, hash, hash.slice("sha256:".length)].flatMap((secret) => [
  secret,
  JSON.stringify(secret).slice(1, -1),
]);

function checkNoSecret(text: string, what: string): void {
  for (const secret of SECRETS) assert.ok(!text.includes(secret), `${secret} in ${what}: ${text.slice(0, 2000)}`);
  assert.doesNotMatch(text, /canary/, what);
}

/** Everything that the upstream was told, in one line. */
const told = ({ head }: RawRequest): string => head.replaceAll("\r\n", "; ");
const errorJson = (request: RawRequest, extra: JsonObject = {}): string =>
  JSON.stringify({
    type: "error",
    error: { message: told(request), type: told(request), code: told(request), param: told(request), ...extra },
    echo: told(request),
  });
const answering =
  (make: (request: RawRequest) => string | Buffer): Script =>
  async (request) =>
    says(make(request))(request);

const begun = (target: DialectName): string => {
  const { opening, pieces } = cannedStream(target, ["one "]);
  return opening + pieces.join("");
};

const WAYS: Readonly<Record<string, (target: DialectName) => Script>> = {
  ...Object.fromEntries(
    [400, 404, 409, 413, 422, 429, 500, 503, 529].map((status) => [
      `${status} in JSON`,
      () => answering((request) => wholeAnswer(errorJson(request), { status, headers: ["retry-after: 0"] })),
    ]),
  ),
  "500 in plain text": () =>
    answering((request) => wholeAnswer(told(request).slice(0, 400), { status: 500, type: "text/plain" })),
  "500 in HTML": () =>
    answering((request) => wholeAnswer(`<html>${told(request)}</html>`, { status: 500, type: "text/html" })),
  "500 in the way of FastAPI": () =>
    answering((request) => wholeAnswer(JSON.stringify({ detail: told(request) }), { status: 500 })),
  "400 with a field that names it": () =>
    answering((request) =>
      wholeAnswer(JSON.stringify({ detail: [{ loc: ["body", told(request)], msg: told(request) }] }), { status: 422 }),
    ),
  "an error beyond what is kept of it": () =>
    answering((request) =>
      wholeAnswer(JSON.stringify({ error: { message: `${"x".repeat(1990)} ${told(request)}` } }), { status: 400 }),
    ),
  "an error in gzip": () =>
    answering((request) =>
      wholeAnswer(gzipSync(errorJson(request)), { status: 500, headers: ["content-encoding: gzip"] }),
    ),
  "200 with an error": () => answering((request) => wholeAnswer(errorJson(request, { code: 503 }))),
  "200 without JSON": () => answering((request) => wholeAnswer(told(request))),
  "half of an answer": () => async (request) =>
    saysAndCloses(wholeAnswer(`{"x": "${told(request)}`).subarray(0, -5))(request),
  "a redirect": () =>
    answering((request) =>
      wholeAnswer(told(request), { status: 302, headers: [`location: http://x/?${told(request)}`] }),
    ),
  "a header of its own": () =>
    answering((request) =>
      wholeAnswer("{}", { status: 500, headers: [`x-debug: ${told(request)}`, `set-cookie: a=${told(request)}`] }),
    ),
  "no HTTP": () => answering((request) => `${told(request)}\r\n\r\n`),
  "a bad header": () => answering((request) => `HTTP/1.1 200 OK\r\n${told(request).replaceAll(":", "")}\r\n\r\n`),
  "an unknown coding": () =>
    answering((request) => wholeAnswer("{}", { headers: [`content-encoding: ${told(request)}`] })),
  "an error event at once": () => answering((request) => wholeStream(`event: error\ndata: ${errorJson(request)}\n\n`)),
  "an error event after a token": (target) =>
    answering((request) => wholeStream(`${begun(target)}event: error\ndata: ${errorJson(request)}\n\n`)),
  "an event that is no JSON": (target) =>
    answering((request) => wholeStream(`${begun(target)}event: error\ndata: {"error": ${told(request)}\n\n`)),
  "bad framing after a token": (target) =>
    answering((request) =>
      Buffer.concat([Buffer.from(streamHead()), chunk(begun(target)), Buffer.from(`${told(request)}\r\n`)]),
    ),
  "a reset":
    () =>
    ({ socket }) => {
      socket.resetAndDestroy();
    },
  "no answer": () => () => {},
};

async function ask(
  client: DialectName,
  model: string,
  target: DialectName,
  stream: boolean,
  script: Script,
): Promise<string> {
  const requestId = randomUUID();
  upstreams[target].answerTo(requestId, script);
  const reading = await read({ url: gateway.url, key, dialect: client, model, content: "hi", stream, requestId });
  return reading.body + JSON.stringify([...reading.headers]);
}

describe("answers", { concurrency: 6 }, () => {
  for (const [name, scriptOf] of Object.entries(WAYS)) {
    test(`${name} (25)`, async () => {
      const checks = PAIRS.flatMap((pair) =>
        [true, false].map(async (stream) => {
          const { client, target } = pair;
          const script = scriptOf(target);
          checkNoSecret(await ask(client, target, target, stream, script), nameOf(pair, stream));
          if (target === "openai")
            checkNoSecret(await ask(client, "odd", target, stream, script), `odd, ${nameOf(pair, stream)}`);
        }),
      );
      await Promise.all(checks);
    });
  }

  test("of Sluice's own (25)", async () => {
    for (const authorization of [`Bearer ${key}x`, `Basic ${key}`, `Bearer ${hash}`]) {
      const response = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization, "content-type": "application/json" },
        body: '{"model": "openai"',
      });
      assert.equal(response.status, 401);
      checkNoSecret(await response.text(), "an answer of Sluice's own");
    }
  });
});

test("the refusal of a credential (25)", async () => {
  // the credential rests from then on
  const script = answering((request) => wholeAnswer(errorJson(request), { status: 401 }));
  for (const model of ["openai", "anthropic", "odd"] as const) {
    const target = model === "odd" ? "openai" : model;
    checkNoSecret(await ask("openai", model, target, false, script), model);
    checkNoSecret(await ask("openai", model, target, false, script), `${model} at rest`);
  }
});

test("nothing else has said any of it either (25)", async () => {
  assert.ok(upstreams.openai.requests.length > 50 && upstreams.anthropic.requests.length > 50);
  for (const [dialect, canary] of [
    ["openai", CANARIES.openaiCredential],
    ["anthropic", CANARIES.anthropicCredential],
  ] as const) {
    assert.ok(upstreams[dialect].requests.some(({ head }) => head.includes(canary) && head.includes(CANARIES.header)));
  }
  for (const path of ["/metrics", "/healthz", "/readyz"]) {
    checkNoSecret(await (await fetch(gateway.adminUrl + path)).text(), path);
  }
  const entries = await gateway.waitForEntries(200);
  assert.ok(entries.length > 200);
  checkNoSecret(JSON.stringify(entries), "the access log");
  checkNoSecret(gateway.log(), "standard error");
  checkNoSecret(output, "standard output");
});
