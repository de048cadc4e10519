import assert from "node:assert/strict";
import { test } from "node:test";
import { performance } from "node:perf_hooks";
import { loadConfig } from "./load.ts";
import { ConfigError } from "./problem.ts";
import { TEST_FILTERS, TestConfig } from "./config-helper.test.ts";

const config = new TestConfig();

/** Far more than any of these takes, far less than what is exponential or quadratic would. */
const MAX_MS = 10_000;

function refuseQuickly(text: string | Buffer): ConfigError {
  const start = performance.now();
  const error = config.refuse(text);
  assert.ok(performance.now() - start < MAX_MS);
  assert.ok(error.problems.length >= 1 && error.problems.length <= 20);
  for (const problem of error.problems) {
    assert.ok(problem.line >= 1 && problem.column >= 1);
    assert.ok(problem.message.length > 0 && problem.message.length < 500);
  }
  return error;
}

test("files that are no configuration at all", () => {
  const cases: [string | Buffer, RegExp][] = [
    ["", /the file is empty/],
    ["\n\n", /the file is empty/],
    ["# only\n# comments\n", /the file is empty/],
    ["---\n", /the file is empty/],
    ["hello", /must be a map/],
    ["- a\n- b", /must be a map/],
    ["42", /must be a map/],
    [Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0, 1]), /binary/],
    [Buffer.from("gateway: main", "utf16le"), /binary/],
    [Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from("gateway: main", "utf16le")]), /UTF-16/],
    [Buffer.from([0x67, 0xc3, 0x28]), /not UTF-8/],
    [Buffer.alloc(50 * 1024 * 1024, "a"), /larger than 16 MiB/],
  ];
  for (const [text, pattern] of cases) {
    assert.match(refuseQuickly(text).message, pattern);
  }
});

test("files that are not there, or not files", () => {
  const options = { filters: TEST_FILTERS, environment: {} };
  assert.throws(() => loadConfig(`${config.directory}/none.yaml`, options), /does not exist/);
  assert.throws(() => loadConfig(config.directory, options), /is a directory/);
  assert.throws(() => loadConfig("/dev/zero", options), /larger than 16 MiB/);
});

test("nesting and repetition that would exhaust a naive reader", () => {
  const deep = "[".repeat(100_000);
  const indented = Array.from({ length: 2_000 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n");
  const cases: [string, RegExp][] = [
    [deep, /nested too deeply/],
    [deep + "]".repeat(100_000), /nested too deeply/],
    [`a: ${"[".repeat(70)}${"]".repeat(70)}`, /nested deeper than 64/],
    ["{a: ".repeat(20_000), /nested too deeply|not valid YAML/],
    ["- ".repeat(50_000), /nested too deeply/],
    [indented, /nested too deeply|nested deeper/],
    ['"'.repeat(100_001), /not valid YAML/],
    ["&a ".repeat(20_000), /not valid YAML/],
    ["? ".repeat(20_000), /nested too deeply|not valid YAML/],
    [`a: ${"!".repeat(10_000)}`, /tags|not valid/],
    [`${"x".repeat(5_000)}: 1`, /there is no such key|cannot be used|not valid YAML/],
  ];
  for (const [text, pattern] of cases) {
    assert.match(refuseQuickly(text).message, pattern, text.slice(0, 30));
  }
});

test("100,000 keys of one map are compared in linear time", () => {
  const keys = Array.from({ length: 100_000 }, (_, index) => `k${index}: 1`).join("\n");
  const error = refuseQuickly(`${keys}\nk5: 2`);
  assert.ok(error.total >= 100_000);
  assert.match(error.message, /and \d+ more$/);
});

test("aliases and merges that double at each step end at a limit", () => {
  const levels = Array.from({ length: 40 }, (_, index) => index + 1);
  const aliases = ["a0: &a0 [x, x]", ...levels.map((n) => `a${n}: &a${n} [*a${n - 1}, *a${n - 1}]`)];
  assert.match(refuseQuickly(aliases.join("\n")).message, /more than 5000000 values/);
  const merges = [
    "a0: &a0 { k0: 1 }",
    ...levels.map((n) => `a${n}: &a${n} { <<: [*a${n - 1}, *a${n - 1}], k${n}: 1 }`),
  ];
  assert.match(refuseQuickly(merges.join("\n")).message, /more than 5000000 values/);
  assert.match(refuseQuickly("a: &a [*a]").message, /no finished anchor &a/);
  assert.match(refuseQuickly("a: &a { <<: *a }").message, /no finished anchor &a/);
  assert.match(refuseQuickly("a: *nowhere").message, /no finished anchor &nowhere/);
  assert.match(refuseQuickly("a: { <<: 1 }").message, /must be a map or a list of maps/);
});

test("syntax errors name their line, say what to do and never quote the text", () => {
  const secret = "sk-canary-0123456789";
  const cases: [string, RegExp, number][] = [
    ["gateway: main\nserver:\n\tlisten: x", /a tab is used as indentation. Indent with spaces/, 3],
    [`a: 1\nb: "${secret}`, /not valid YAML/, 2],
    [`a: b: ${secret}`, /second `: `/, 1],
    [`a: [${secret}`, /not valid YAML/, 1],
    [`a: {k: ${secret}`, /not valid YAML/, 1],
    ["a: 1\n---\nb: 2", /more than one YAML document/, 2],
    [`a: "x" ${secret}`, /not valid YAML/, 1],
    [`a: !secret ${secret}`, /tags/, 1],
    [`a:\n  - { apiKey: \${KEY} }`, /must be quoted/, 2],
    [`a: @${secret}`, /may not start with this character/, 1],
    [`? [${secret}]\n: 1`, /not a plain word/, 1],
    [`%${secret}\n`, /./, 1],
    [`a: "\\${secret}"`, /./, 1],
    [`a: .inf`, /finite/, 1],
    [`__proto__: ${secret}`, /cannot be used/, 1],
  ];
  for (const [text, pattern, line] of cases) {
    const error = refuseQuickly(text);
    assert.match(error.message, pattern, text);
    assert.equal(error.problems[0]?.line, line, text);
    assert.ok(!error.message.includes(secret), error.message);
  }
});

test("wrong types everywhere are errors, never crashes", () => {
  const sections = ["gateway", "server", "admin", "accessLog", "providers", "models", "consumers", "domains"];
  const values = [
    "1",
    "text",
    "true",
    "null",
    "[]",
    "{}",
    "[1]",
    "[null]",
    "[[]]",
    "[{}]",
    "{ a: { b: [] } }",
    "[{ name: {} }]",
  ];
  for (const section of sections) {
    for (const value of values) {
      try {
        config.load(`${section}: ${value}`);
      } catch (error) {
        assert.ok(error instanceof ConfigError, `${section}: ${value}: ${String(error)}`);
      }
    }
  }
  const entries: [string, string][] = [
    ["providers", "name: p, dialect: openai, baseUrl: http://a"],
    ["models", "name: m, targets: [ { provider: p, model: x } ]"],
    ["consumers", "name: c"],
    ["domains", "host: a, routes: [ { path: /, api: openai } ]"],
  ];
  const keys =
    "name dialect kind engine baseUrl nodes credentials timeouts maxConnections headers aliases targets balance retry fallbacks grants keys host consumers routes";
  for (const [section, rest] of entries) {
    for (const key of keys.split(" ")) {
      for (const value of values) {
        const kept = rest
          .split(/, (?=\w+:)/)
          .filter((part) => !part.startsWith(`${key}:`))
          .join(", ");
        try {
          config.load(`${section}: [ { ${kept}, ${key}: ${value} } ]`);
        } catch (error) {
          assert.ok(error instanceof ConfigError, `${section}.${key}: ${value}: ${String(error)}`);
        }
      }
    }
  }
});

test("byte order mark, CRLF, JSON and tabs in JSON are all the same configuration", () => {
  const yaml = "gateway: edge\nproviders:\n  - name: p\n    dialect: openai\n    baseUrl: http://a/v1\n";
  const json = JSON.stringify({
    gateway: "edge",
    providers: [{ name: "p", dialect: "openai", baseUrl: "http://a/v1" }],
  });
  const { version } = config.load(yaml).snapshot;
  for (const text of [
    `\uFEFF${yaml}`,
    yaml.replaceAll("\n", "\r\n"),
    json,
    JSON.stringify(JSON.parse(json), null, "\t"),
  ]) {
    assert.equal(config.load(text).snapshot.version, version);
  }
});
