import assert from "node:assert/strict";
import { test } from "node:test";
import { duration, parseDuration } from "./duration.ts";
import { parseListen } from "./listen.ts";
import { parseSize, size } from "./size.ts";

test("durations are sums of amounts with units", () => {
  const cases: [string, number][] = [
    ["10m", 600_000],
    ["300s", 300_000],
    ["200ms", 200],
    ["1h30m", 5_400_000],
    ["1.5s", 1_500],
    ["1d", 86_400_000],
    ["1m1ms", 60_001],
  ];
  for (const [text, expected] of cases) {
    assert.equal(parseDuration(text), expected, text);
  }
  for (const text of ["", "10", "10x", "m", "10 m", "-1s", "1s ", "1.s", "1e3s", "ten", "1s".repeat(40)]) {
    assert.equal(parseDuration(text), undefined, text);
  }
});

test("durations of the configuration are longer than nothing and fit a timer", () => {
  assert.equal(duration.parse("24d"), 24 * 86_400_000);
  for (const input of ["0s", "0.1ms", "25d", 10, true, null]) {
    assert.equal(duration.safeParse(input).success, false, String(input));
  }
});

test("sizes are bytes, decimal or binary units", () => {
  const cases: [string, number][] = [
    ["20MiB", 20 * 2 ** 20],
    ["1GB", 1e9],
    ["1.5kb", 1_500],
    ["512", 512],
    ["7 B", 7],
    ["1KiB", 1_024],
  ];
  for (const [text, expected] of cases) {
    assert.equal(parseSize(text), expected, text);
  }
  for (const text of ["", "MiB", "20MiX", "-1", "1e9", "1 2"]) {
    assert.equal(parseSize(text), undefined, text);
  }
  assert.equal(size(1, 100).parse(100), 100);
  assert.equal(size(1, 100).safeParse("101").success, false);
  assert.equal(size(1, 100).safeParse(0).success, false);
  assert.equal(size(1, 100).safeParse(1.5).success, false);
});

test("addresses to listen on have a port and, in brackets if IPv6, a host", () => {
  assert.deepEqual(parseListen("0.0.0.0:8080"), { host: "0.0.0.0", port: 8080 });
  assert.deepEqual(parseListen(":0"), { host: "0.0.0.0", port: 0 });
  assert.deepEqual(parseListen("[::1]:65535"), { host: "::1", port: 65_535 });
  assert.deepEqual(parseListen("gateway.internal:80"), { host: "gateway.internal", port: 80 });
  for (const text of [
    "",
    "8080",
    "0.0.0.0",
    "::1:80",
    "[x]:80",
    "1.2.3:80",
    "a:65536",
    "a:-1",
    "http://a:80",
    "a b:80",
  ]) {
    assert.equal(parseListen(text), undefined, text);
  }
});
