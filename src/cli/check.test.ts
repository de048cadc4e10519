import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { hashKey } from "../config/keys.ts";
import { sluice as run } from "./command-helper.test.ts";
import type { Outcome } from "./command-helper.test.ts";

const directory = mkdtempSync(join(tmpdir(), "sluice-check-"));
after(() => {
  rmSync(directory, { recursive: true });
});

/** What the examples' comments tell to set. */
const environment = {
  OPENAI_API_KEY: "sk-canary-openai",
  OPENAI_API_KEY_2: "sk-canary-spare",
  ANTHROPIC_API_KEY: "sk-canary-anthropic",
  VLLM_1: "http://10.0.0.7:8000",
  VLLM_2: "http://10.0.0.8:8000",
};

function sluice(...parameters: string[]): Outcome {
  return run(parameters, environment);
}

test("every example is valid as it stands, without a warning, and shows what would run but no secret", () => {
  const expected: [string, RegExp][] = [
    ["openai", /openai\/\*: weighted, up to 3 attempts\n {4}→ openai \* \(priority 0, weight 1\)/],
    ["vllm-and-fallback", /→ idc qwen3-32b \(priority 0, weight 1, think_tags\)[^]*then claude/],
    ["two-tenants", /blue\.ai\.example\.com: blue\n {4}\/v1\/\*: anthropic/],
  ];
  for (const [name, pattern] of expected) {
    const { status, stdout, stderr } = sluice("check", `examples/${name}.yaml`);
    assert.equal(status, 0, stderr);
    assert.equal(stderr, "");
    assert.match(stdout, pattern);
    assert.doesNotMatch(stdout, /canary/);
  }
});

test("a file with mistakes exits with 1 and names each of them; one without is quiet if told to", () => {
  const path = join(directory, "bad.yaml");
  writeFileSync(path, "gatway: x\nserver: { workers: -1 }\n");
  const bad = sluice("check", path);
  assert.equal(bad.status, 1);
  assert.equal(bad.stdout, "");
  assert.match(bad.stderr, /bad\.yaml:1:1: gatway: there is no such key\. Did you mean "gateway"\?\n/);
  assert.match(bad.stderr, /bad\.yaml:2:20: server\.workers: must be a whole number from 0 to 1024, found -1\.\n/);
  assert.match(bad.stderr, /is not valid: 2 problems\.\n$/);
  writeFileSync(path, "gateway: x\n");
  const quiet = sluice("check", "--quiet", path);
  assert.deepEqual([quiet.status, quiet.stdout], [0, ""]);
  assert.match(quiet.stderr, /^warning: .*there are no models/);
  const missing = sluice("check", join(directory, "none.yaml"));
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /none\.yaml:1:1: the file does not exist\. Check the path\.\n/);
});

test("options of the real filters are checked with their own schemas", () => {
  const path = join(directory, "filters.yaml");
  writeFileSync(
    path,
    "domains: [ { host: a, routes: [ { path: /, api: openai, middlewares: [ { name: cors, options: { orgins: 1 } } ] } ] } ]",
  );
  const { status, stderr } = sluice("check", path);
  assert.equal(status, 1);
  assert.match(stderr, /middlewares\[0\]\.options\.orgins: there is no such key/);
});

test("limits are shown where they hold", () => {
  const path = join(directory, "limits.yaml");
  writeFileSync(
    path,
    `
quotas: { burst: 10s }
store: { url: "sqlite:/tmp/x.db" }
providers:
  - { name: p, dialect: openai, baseUrl: http://a, credentials: [ { apiKey: x, limits: { rpm: 50 } }, { apiKey: y } ] }
models:
  - { name: m, limits: { tpm: 9, burst: 60s }, targets: [ { provider: p, model: x, limits: { concurrency: 0 } } ] }
consumers:
  - name: c
    timeZone: Asia/Shanghai
    budgets: { monthly: { tokens: 7, usd: 0.45 } }
    grants: [ { model: m, rpm: 6, mode: hard, burst: 1500ms }, { model: "*" } ]
    keys:
      - { name: a, hash: "sha256:${"a".repeat(64)}", grants: [ { model: m } ] }
      - { name: b, hash: "sha256:${"b".repeat(64)}", limits: { rpm: 5 }, grants: [ { model: m, rpm: 3 } ] }
`,
  );
  const { stdout } = sluice("check", path);
  for (const line of [
    "store sqlite:/tmp/x.db",
    "    credentials: credential-1 ••••(1) [50 rpm (burst 10s)], credential-2 ••••(1)",
    "    limits: 9 tpm",
    "    → p x (priority 0, weight 1; 0 at once)",
    "  c: 2 keys; may use m [6 rpm (hard, burst 1.5s)], *",
    "    limits: 7 tokens and 0.45 USD a month, months of Asia/Shanghai",
    "    key b: 5 rpm (burst 10s); may use m [3 rpm (burst 10s)]",
  ]) {
    assert.ok(stdout.includes(`\n${line}\n`), `${stdout}\n${line}`);
  }
  assert.ok(!stdout.includes("key a"));
});

test("a new key comes with its hash, and the file to paste it into is valid", () => {
  const { status, stdout } = sluice("keys", "new", "--name", "prod");
  assert.equal(status, 0);
  const key = /^key: {2}(sk-sluice-[\w-]{43})$/m.exec(stdout)?.[1] ?? "";
  assert.match(stdout, new RegExp(`^hash: sha256:${hashKey(key)}$`, "m"));
  const snippet = stdout.slice(stdout.indexOf("    keys:"));
  const path = join(directory, "keys.yaml");
  writeFileSync(path, `consumers:\n  - name: c\n${snippet}`);
  assert.equal(sluice("check", path).status, 0);
});

test("the schema is JSON, or a table", () => {
  const { stdout } = sluice("schema");
  assert.equal((JSON.parse(stdout) as { title: string }).title, "Sluice configuration");
  assert.match(sluice("schema", "--markdown").stdout, /^\| key \| type \| default \| meaning \|\n/);
});

test("unknown commands and missing arguments fail and show the help", () => {
  const unknown = sluice("chek");
  assert.equal(unknown.status, 1);
  assert.match(unknown.stderr, /unknown command 'chek'.*\(Did you mean check\?\)/s);
  assert.equal(sluice("check").status, 1);
  assert.match(sluice("--version").stdout, /^\d+\.\d+\.\d+\n$/);
});
