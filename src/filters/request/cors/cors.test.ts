import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestFilter, RequestView } from "../../contract.ts";
import { cors } from "./cors.ts";

const PAGE = "https://app.example.com";

function filterOf(options: object): RequestFilter {
  return cors.create(cors.schema.parse(options));
}

function request(method: string, headers: Readonly<Record<string, string>>): RequestView {
  return { requestId: "req_1", method, path: "/v1/models", host: "x", headers };
}

function preflight(origin: string, asked?: string): RequestView {
  return request("OPTIONS", {
    origin,
    "access-control-request-method": "POST",
    ...(asked !== undefined && { "access-control-request-headers": asked }),
  });
}

/** The headers that an answer gets, by name. */
function headersOf(filter: RequestFilter, view: RequestView): Record<string, string> {
  const headers: string[] = [...(filter.beforeAuthentication?.(view)?.headers ?? [])];
  filter.answerHead?.(view, headers);
  return Object.fromEntries(headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1]!]] : [])));
}

test("a preflight of an allowed origin is answered without a key, of another refused", () => {
  const filter = filterOf({ allowOrigins: [PAGE], maxAgeSeconds: 60 });
  assert.equal(filter.beforeAuthentication?.(preflight(PAGE))?.status, 204);
  assert.deepEqual(headersOf(filter, preflight(PAGE, "authorization, x-stainless-os")), {
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers": "authorization, x-stainless-os",
    "access-control-max-age": "60",
    vary: "origin",
    "access-control-allow-origin": PAGE,
    "access-control-expose-headers": "x-request-id, retry-after, retry-after-ms",
  });
  for (const other of ["https://other.example.com", `${PAGE}.evil.example`, "null", "http://app.example.com"]) {
    assert.equal(filter.beforeAuthentication?.(preflight(other))?.status, 403);
    assert.deepEqual(headersOf(filter, preflight(other)), { vary: "origin" });
  }
});

test("what is no preflight goes on", () => {
  const filter = filterOf({ allowOrigins: ["*"] });
  assert.equal(filter.beforeAuthentication?.(request("POST", { origin: PAGE })), undefined);
  assert.equal(filter.beforeAuthentication?.(request("OPTIONS", { origin: PAGE })), undefined);
});

test("any origin is `*`, unless credentials are allowed: then it is named", () => {
  assert.equal(
    headersOf(filterOf({ allowOrigins: ["*"] }), request("GET", { origin: PAGE }))["access-control-allow-origin"],
    "*",
  );
  const named = headersOf(filterOf({ allowOrigins: ["*"], allowCredentials: true }), request("GET", { origin: PAGE }));
  assert.equal(named["access-control-allow-origin"], PAGE);
  assert.equal(named["access-control-allow-credentials"], "true");
  assert.equal(named["vary"], "origin");
});

test("who is no page gets no such headers", () => {
  assert.deepEqual(headersOf(filterOf({ allowOrigins: ["*"] }), request("GET", {})), {});
});

test("headers are those configured, or those asked for if they are names of headers", () => {
  const listed = filterOf({ allowOrigins: ["*"], allowHeaders: ["authorization"] });
  assert.equal(headersOf(listed, preflight(PAGE, "x-other"))["access-control-allow-headers"], "authorization");
  const any = filterOf({ allowOrigins: ["*"] });
  for (const odd of ["a\u00e9", "x".repeat(3_000), "a;b"]) {
    const given = headersOf(any, preflight(PAGE, odd))["access-control-allow-headers"];
    assert.equal(given, "authorization, content-type");
  }
});

test("options that cannot be meant are refused", () => {
  for (const options of [
    {},
    { allowOrigins: [] },
    { allowOrigins: ["app.example.com"] },
    { allowOrigins: [`${PAGE}/`] },
  ]) {
    assert.ok(!cors.schema.safeParse(options).success, JSON.stringify(options));
  }
});
