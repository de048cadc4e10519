import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { UpstreamError } from "../dialects/contract.ts";
import { UpstreamFailure } from "../upstreams/origin.ts";
import {
  brokenBeforeContent,
  clockFailure,
  connectionFailure,
  invalidAnswer,
  retryAfterMsOf,
  upstreamErrorFailure,
  type AttemptFailure,
} from "./attempt-failure.ts";
import type { Exchange } from "./exchange.ts";

/** What a client gets when the failure is the last: an error's code, or the upstream's own bytes. */
function answerOf(failure: AttemptFailure, headSent = false): { what: unknown; headers: readonly string[] } {
  let given: { what: unknown; headers: readonly string[] } | undefined;
  const exchange = {
    headSent,
    sendError(error: { code: unknown; status: number }, headers: readonly string[] = []) {
      given = { what: error.code ?? error.status, headers };
    },
    sendUpstreamErrorBytes(status: number, headers: readonly string[], body: Buffer) {
      given = { what: `${status} ${body.toString()}`, headers };
    },
  };
  failure.answer(exchange as unknown as Exchange);
  assert.ok(given !== undefined);
  return given;
}

function errorOf(status: number): UpstreamError {
  return { status, message: "no", type: "t", code: null, param: null };
}

const failed = (kind: UpstreamFailure["kind"]): AttemptFailure =>
  connectionFailure(new UpstreamFailure(kind, new Error("no")));

describe("what follows from a failure", () => {
  const OWN: readonly [name: string, AttemptFailure, retryable: string, blamesNode: boolean, code: string][] = [
    ["no connection", failed("connect"), "connect", true, "upstream_unreachable"],
    ["no connection in time", failed("connectTimeout"), "connect", true, "connect_timeout"],
    ["a reset", failed("reset"), "connect", true, "upstream_error"],
    ["no HTTP", failed("protocol"), "connect", true, "upstream_error"],
    // the node is not to blame for a pool that has no connection free
    ["the connect clock", clockFailure("connect"), "connect", false, "connect_timeout"],
    ["the first token's clock", clockFailure("firstToken"), "firstTokenTimeout", true, "first_token_timeout"],
    ["the idle clock", clockFailure("idle"), "connect", true, "idle_timeout"],
    ["no answer", invalidAnswer("no"), "5xx", true, "upstream_invalid_answer"],
    ["an end before the beginning", brokenBeforeContent(), "connect", true, "upstream_error"],
  ];
  for (const [name, failure, retryable, blamesNode, code] of OWN) {
    test(name, () => {
      const { restMs } = failure;
      assert.deepEqual(
        { retryable: failure.retryable, blamesNode: failure.blamesNode, restMs },
        { retryable, blamesNode, restMs: 0 },
      );
      assert.equal(answerOf(failure).what, code);
    });
  }

  const UPSTREAM: readonly [status: number, retryable: string, rests: string, restMs: number, blamesNode: boolean][] = [
    [400, "never", "node", 0, false],
    [401, "elsewhere", "credential", 60_000, false],
    // it may be about one model only
    [403, "elsewhere", "credential", 0, false],
    [404, "never", "node", 0, false],
    [413, "never", "node", 0, false],
    [422, "never", "node", 0, false],
    [429, "429", "credentialOrNode", 1_000, false],
    [500, "5xx", "node", 0, true],
    [503, "5xx", "node", 0, true],
    [529, "5xx", "node", 0, true],
  ];
  for (const [status, retryable, rests, restMs, blamesNode] of UPSTREAM) {
    test(`status ${status}`, () => {
      const failure = upstreamErrorFailure(errorOf(status), undefined, undefined);
      const found = [failure.retryable, failure.rests, failure.restMs, failure.blamesNode];
      assert.deepEqual(found, [retryable, rests, restMs, blamesNode]);
    });
  }

  test("Retry-After is how long 429 and 5xx rest, and what the client is told", () => {
    for (const status of [429, 503]) {
      const failure = upstreamErrorFailure(errorOf(status), 2_500, undefined);
      assert.equal(failure.restMs, 2_500);
      assert.deepEqual(answerOf(failure).headers, ["retry-after", "3", "retry-after-ms", "2500"]);
    }
    assert.equal(upstreamErrorFailure(errorOf(400), 2_500, undefined).restMs, 0);
    for (const status of [429, 503]) {
      const { headers } = answerOf(upstreamErrorFailure(errorOf(status), undefined, undefined));
      assert.deepEqual(headers, ["retry-after", "1", "retry-after-ms", "1000"], "where the upstream says nothing");
    }
    assert.deepEqual(answerOf(upstreamErrorFailure(errorOf(500), undefined, undefined)).headers, []);
  });

  test("the upstream's bytes are passed on, unless the answer has begun or its credential was refused", () => {
    const bytes = { body: Buffer.from("{}"), headers: ["content-type", "application/json"] };
    const failed = upstreamErrorFailure(errorOf(500), undefined, bytes);
    assert.deepEqual(answerOf(failed), { what: "500 {}", headers: bytes.headers });
    assert.deepEqual(answerOf(failed, true), { what: 500, headers: [] });
    const refused = upstreamErrorFailure(errorOf(401), undefined, bytes);
    assert.deepEqual(answerOf(refused), { what: "upstream_error", headers: ["x-should-retry", "false"] });
  });
});

describe("Retry-After", () => {
  const VALUES: readonly [headers: Record<string, string>, ms: number | undefined][] = [
    [{}, undefined],
    [{ "retry-after": "0" }, 0],
    [{ "retry-after": "2" }, 2_000],
    [{ "retry-after": "0.5" }, 500],
    [{ "retry-after-ms": "1500", "retry-after": "9" }, 1_500],
    [{ "retry-after-ms": "", "retry-after": "9" }, 9_000],
    [{ "retry-after-ms": "soon", "retry-after": "9" }, 9_000],
    [{ "retry-after": "Thu, 01 Jan 1970 00:00:00 GMT" }, 0],
  ];
  for (const [headers, ms] of VALUES) {
    test(JSON.stringify(headers), () => {
      assert.equal(retryAfterMsOf(headers), ms);
    });
  }

  test("a date in the future", () => {
    const ms = retryAfterMsOf({ "retry-after": new Date(Date.now() + 60_000).toUTCString() });
    assert.ok(ms !== undefined && ms > 58_000 && ms <= 60_000);
  });

  test("what is neither is none", () => {
    for (const value of ["", "-1", "Infinity", "NaN", "1e400", "0x10", "later", "99999999999999999999", "1,2"]) {
      assert.equal(retryAfterMsOf({ "retry-after": value, "retry-after-ms": value }), undefined, value);
    }
  });
});
