import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TestConfig } from "./config-helper.test.ts";
import type { RedisConfig } from "./snapshot.ts";

const config = new TestConfig();

function redis(text: string, environment = {}): RedisConfig | undefined {
  return config.load(`state: { redis: ${text} }`, environment).snapshot.state?.redis;
}

test("without `state` a machine is alone", () => {
  assert.equal(config.load("gateway: a").snapshot.state, undefined);
});

test("a URL says all about one server", () => {
  assert.deepEqual(redis("redis://cache"), { kind: "server", nodes: [{ host: "cache" }], database: 0 });
  assert.deepEqual(redis('"rediss://us%40er:p%3Aw@[::1]:6380/12"'), {
    kind: "server",
    nodes: [{ host: "::1", port: 6380 }],
    username: "us@er",
    password: "p:w",
    database: 12,
    tls: {},
  });
  assert.equal(
    redis('"redis://:${PASSWORD}@cache"', { PASSWORD: "of-the-environment" })?.password,
    "of-the-environment",
  );
  assert.equal(config.load("state: { redis: redis://cache }").snapshot.state?.timeoutMs, 50);
  assert.equal(config.load("state: { redis: redis://cache, timeout: 1s }").snapshot.state?.timeoutMs, 1_000);
});

test("clusters and sentinels, with TLS and passwords of their own", () => {
  writeFileSync(join(config.directory, "ca.pem"), "-----BEGIN CERTIFICATE-----\n");
  assert.deepEqual(redis("{ nodes: [a, 'b:7001'], password: pw, tls: { ca: ca.pem, serverName: redis.internal } }"), {
    kind: "cluster",
    nodes: [{ host: "a" }, { host: "b", port: 7001 }],
    password: "pw",
    database: 0,
    tls: { ca: "-----BEGIN CERTIFICATE-----", serverName: "redis.internal" },
  });
  assert.deepEqual(redis("{ sentinel: { nodes: [s1, '[::2]:26380'], master: m, password: sp }, database: 2 }"), {
    kind: "sentinel",
    nodes: [{ host: "s1" }, { host: "::2", port: 26_380 }],
    sentinel: { master: "m", password: "sp" },
    database: 2,
  });
});

test("mistakes are named at their place, and no password with them", () => {
  const cases: [string, string][] = [
    ["{}", "1:17 state.redis: names no server. Add `url`, `nodes` (a cluster), or `sentinel`."],
    ["5", "1:17 state.redis: must be a URL such as redis://host:6379/0, or a map."],
    [
      "http://:hidden-pw@a",
      "1:17 state.redis: must be a URL such as redis://user:password@host:6379/0, or rediss:// for TLS. Percent-encode what is special in user and password, or give them as `username` and `password`.",
    ],
    [
      "{ url: redis://a, usernam: hidden-pw }",
      '1:35 state.redis.usernam: there is no such key. Did you mean "username"?',
    ],
    ["{ url: redis://a, nodes: [b] }", "1:35 state.redis.nodes: stands beside `url`. Keep one of them."],
    ["{ nodes: ['b:0'] }", "1:27 state.redis.nodes[0]: must be a host and a port, such as redis-1:6379 or [::1]:6379."],
    ["{ nodes: [b], database: 1 }", "1:31 state.redis.database: clusters have only 0. Remove it."],
    [
      "{ url: redis://a, database: 1 }",
      "1:35 state.redis.database: stands beside a URL. Write it into the URL: redis://host:6379/1.",
    ],
    [
      "{ url: 'redis://:hidden-pw@a', password: hidden-pw }",
      "1:48 state.redis.password: is in the URL as well. Keep one of them.",
    ],
    ["{ url: redis://a, username: u }", "1:17 state.redis: has a user name without a password. Add `password`."],
    [
      "{ url: redis://a, tls: { cert: none.pem } }",
      "1:40 state.redis.tls: has only one of `cert` and `key`. Give both, or neither.",
    ],
    ["{ sentinel: { nodes: [s] } }", "1:29 state.redis.sentinel.master: is missing. Add `master`."],
    ["redis://a, timeout: 1ms", '1:37 state.timeout: must be from 5ms to 5s, found "1ms".'],
  ];
  for (const [text, expected] of cases) {
    const error = config.refuse(`state: { redis: ${text} }`);
    const [problem] = error.problems;
    const { line, column, path, message, remedy } = problem!;
    assert.equal(`${line}:${column} ${path}: ${message}.${remedy === "" ? "" : ` ${remedy}`}`, expected);
    assert.ok(!error.message.includes("hidden-pw"));
  }
});
