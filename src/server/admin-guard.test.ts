import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { accessOf } from "./admin-guard.ts";

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");
const TOKENS = [
  { name: "ops", hash: digest("first") },
  { name: "ci", hash: digest("second") },
];
const LOCAL = { host: "127.0.0.1:8081", "content-type": "application/json" };

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly path?: string;
  readonly boundTo?: string;
}

const open = ({ method = "PUT", headers = LOCAL, path = "/admin/v1/limits/x", boundTo = "127.0.0.1" }: Asked) =>
  accessOf({ method, headers }, path, [], boundTo);

test("with tokens everything under /admin needs one, and it is known whose it is", () => {
  const ask = (authorization: string | undefined, path = "/admin/v1/usage") =>
    accessOf({ method: "GET", headers: authorization === undefined ? {} : { authorization } }, path, TOKENS, "0.0.0.0");
  for (const wrong of [
    undefined,
    "",
    "Bearer",
    "Bearer ",
    "Bearer third",
    "Basic first",
    "first",
    "Bearer first second",
  ]) {
    assert.equal(ask(wrong).refusal?.status, 401, String(wrong));
  }
  assert.equal(ask("Bearer ' OR '1'='1").refusal?.status, 401);
  assert.equal(ask(`Bearer ${digest("first")}`).refusal?.status, 401, "the hash is no token");
  assert.deepEqual(ask("Bearer first"), { refusal: undefined, by: "ops" });
  assert.deepEqual(ask("bearer second"), { refusal: undefined, by: "ci" });
  assert.equal(ask(undefined, "/admin/v1/whatever").refusal?.status, 401);
  for (const path of ["/healthz", "/readyz", "/metrics"]) {
    assert.equal(ask(undefined, path).refusal, undefined, path);
  }
});

test("with tokens changes may come from anywhere", () => {
  const headers = { authorization: "Bearer first", host: "gateway.example.com" };
  const access = accessOf({ method: "DELETE", headers }, "/admin/v1/limits/x", TOKENS, "0.0.0.0");
  assert.deepEqual(access, { refusal: undefined, by: "ops" });
});

test("without tokens everybody reads, and changes come from this machine only", () => {
  assert.equal(open({ method: "GET", headers: { host: "evil.example" }, boundTo: "0.0.0.0" }).refusal, undefined);
  for (const boundTo of ["127.0.0.1", "127.1.2.3", "::1"]) assert.equal(open({ boundTo }).refusal, undefined, boundTo);
  for (const boundTo of ["0.0.0.0", "::", "10.0.0.5", "", "fe80::1"]) {
    const { refusal } = open({ boundTo });
    assert.equal(refusal?.status, 403, boundTo);
    assert.match(refusal.body, /admin\.tokens/);
  }
});

test("without tokens no web page changes anything: neither by a name that is ours, nor from its own origin, nor as a form", () => {
  for (const host of ["127.0.0.1", "localhost", "localhost:9", "LOCALHOST:8081", "[::1]:8081", "127.0.0.2:1"]) {
    assert.equal(open({ headers: { ...LOCAL, host } }).refusal, undefined, host);
  }
  for (const host of [
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil",
    "x@127.0.0.1",
    "0.0.0.0:8081",
    "",
    "[::2]",
  ]) {
    const { refusal } = open({ headers: { ...LOCAL, host } });
    assert.equal(refusal?.status, 403, host);
    assert.match(refusal.body, /loopback/);
    assert.equal(open({ method: "DELETE", headers: { host } }).refusal?.status, 403, host);
    assert.equal(open({ method: "POST", headers: { host } }).refusal?.status, 403, host);
  }
  assert.equal(open({ headers: {} }).refusal?.status, 403, "no host");
  for (const type of [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/jsonx",
    "",
  ]) {
    const { refusal } = open({ headers: { ...LOCAL, "content-type": type } });
    assert.equal(refusal?.status, 403, type);
    assert.match(refusal.body, /application\/json/);
  }
  assert.equal(open({ headers: { ...LOCAL, "content-type": "application/json; charset=utf-8" } }).refusal, undefined);
  assert.equal(open({ headers: { ...LOCAL, origin: "https://evil.example" } }).refusal?.status, 403);
  assert.equal(open({ headers: { ...LOCAL, origin: "null" } }).refusal?.status, 403);
  assert.equal(open({ headers: { ...LOCAL, origin: "http://localhost:3000" } }).refusal, undefined);
  assert.equal(open({ method: "DELETE", headers: { host: "localhost" } }).refusal, undefined, "has no body");
});
