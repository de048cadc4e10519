import assert from "node:assert/strict";
import { test } from "node:test";
import { HostTable, normaliseHost, normalisePath, PathTable } from "./match.ts";

test("hosts match without regard to case, port and a trailing dot", () => {
  const hosts = new HostTable<string>();
  hosts.add("ai.example.com", "exact");
  hosts.add("*.example.com", "below");
  hosts.add("*", "other");
  for (const header of ["ai.example.com", "AI.Example.COM:8080", "ai.example.com.", "ai.example.com:443"]) {
    assert.equal(hosts.find(header), "exact", header);
  }
  assert.equal(hosts.find("x.y.example.com"), "below");
  assert.equal(hosts.find("example.com"), "other");
  assert.equal(hosts.find("127.0.0.1:80"), "other");
  assert.equal(hosts.find("[::1]:80"), "other");
});

test("acceptance 5: what is no host name matches nothing, not even `*`", () => {
  const hosts = new HostTable<string>();
  hosts.add("*", "other");
  for (const header of [
    "x/#@y",
    "",
    "a b",
    "a..b",
    "-a",
    "a@b",
    "a\u0000b",
    "a:b:c",
    `${"a.".repeat(200)}b`,
    "ai.example.com/..",
  ]) {
    assert.equal(hosts.find(header), undefined, header);
    assert.equal(normaliseHost(header), undefined, header);
  }
});

test("the longest path wins, an exact one before any prefix", () => {
  const paths = new PathTable<string>();
  paths.add("/v1/*", "v1");
  paths.add("/v1/messages", "messages");
  paths.add("/v1/files/*", "files");
  paths.add("/*", "all");
  const found = (target: string): [string | undefined, string | undefined] => {
    const match = paths.find(target);
    return [match?.value, match?.rest];
  };
  assert.deepEqual(found("/v1/chat/completions?x=1"), ["v1", "/chat/completions"]);
  assert.deepEqual(found("/v1/messages"), ["messages", ""]);
  assert.deepEqual(found("/v1/messages/count_tokens"), ["v1", "/messages/count_tokens"]);
  assert.deepEqual(found("/v1/files/a/b"), ["files", "/a/b"]);
  assert.deepEqual(found("/v1"), ["v1", ""]);
  assert.deepEqual(found("/v10/x"), ["all", "/v10/x"]);
  assert.deepEqual(found("/"), ["all", "/"]);
});

test("acceptance 5: a path that two readers could understand differently matches nothing", () => {
  const paths = new PathTable<string>();
  paths.add("/*", "all");
  const tricks = [
    "//v1",
    "/v1//chat",
    "/v1/../x",
    "/v1/./x",
    "/..",
    "/v1/%2e%2e/x",
    "/v1%2fchat",
    "/v1;a=b/x",
    "/a%3bb",
    "\\v1",
  ];
  for (const trick of [
    ...tricks,
    "/v1/%5c",
    "/v1/%00",
    "/v1/%zz",
    "/v1/\u00e9",
    "http://other/v1",
    "*",
    "",
    "v1",
    "/a b",
  ]) {
    assert.equal(paths.find(trick), undefined, trick);
    assert.equal(normalisePath(trick), undefined, trick);
  }
  assert.equal(normalisePath("/v1/models/meta%20llama"), "/v1/models/meta%20llama");
  assert.equal(normalisePath("/v1/models/meta%2Fllama%2f3"), "/v1/models/meta%2Fllama%2f3");
  assert.equal(normalisePath("/v1/models/%2e%2e%2fadmin"), undefined);
});

test("a path of a million slashes is refused in no time, and the right one among long ones found", () => {
  const table = new PathTable<string>();
  table.add("/v1/*", "v1");
  table.add("/v1/deep/er/*", "deeper");
  const startedAt = performance.now();
  assert.equal(table.find("/x".repeat(500_000)), undefined);
  const below = "/a".repeat(500_000);
  assert.equal(table.find(`/v1${below}`)?.rest, below);
  assert.equal(table.find(`/v1/deep/er${below}`)?.value, "deeper");
  assert.ok(performance.now() - startedAt < 1_000);
  assert.equal(table.find("/v1/deep/er")?.value, "deeper");
  assert.equal(table.find("/v1/deep")?.value, "v1");
});
