import assert from "node:assert/strict";
import { test } from "node:test";
import { requestTarget } from "./request-target.ts";

test("a request is for the host of its target, if that is a whole URL, else for that of its header", () => {
  for (const [url, host, expected] of [
    ["/v1/x?y", "a", ["a", "/v1/x?y"]],
    ["http://b:80/v1/x?y", "a", ["b:80", "/v1/x?y"]],
    ["HTTPS://b", "a", ["b", "/"]],
    ["http://b?y", "a", ["b", "/?y"]],
    // without a Host header it is no request of HTTP/1.1
    ["http://b/v1", "", ["", "http://b/v1"]],
    // no host, or none that any table knows
    ["http:///v1", "a", ["", "/v1"]],
    ["http://u@b/v1", "a", ["u@b", "/v1"]],
    ["http://b\\c/v1", "a", ["b\\c", "/v1"]],
    ["//b/v1", "a", ["a", "//b/v1"]],
    ["ftp://b/v1", "a", ["a", "ftp://b/v1"]],
    ["*", "a", ["a", "*"]],
    ["", "a", ["a", ""]],
  ] as const) {
    const { host: found, target } = requestTarget(url, { host });
    assert.deepEqual([found, target], expected, url);
  }
  assert.deepEqual(requestTarget("/x", { ":authority": "a", host: "b" }), { host: "a", target: "/x" });
});
