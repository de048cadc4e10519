import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { sluice } from "./command-helper.test.ts";

const directory = mkdtempSync(join(tmpdir(), "sluice-prices-"));
after(() => {
  rmSync(directory, { recursive: true });
});

const CONFIG = `
providers:
  - { name: openai, dialect: openai, baseUrl: https://api.openai.com/v1 }
  - { name: deepseek, dialect: openai, baseUrl: https://api.deepseek.com/v1 }
  - { name: idc, dialect: openai, nodes: [ "http://10.0.0.7:8000" ] }
  - { name: offline, dialect: openai, kind: builtin }
models:
  - { name: smart, aliases: [ best ], targets: [ { provider: openai, model: gpt-5.4 }, { provider: idc, model: qwen3-32b, priority: 1 } ] }
  - { name: night, targets: [ { provider: deepseek, model: deepseek-chat } ] }
  - { name: own, targets: [ { provider: idc, model: m, price: { input: 0.25, cachedInput: 0, output: 1.5 } }, { provider: idc, model: free-1 } ] }
  - { name: "openai/*", targets: [ { provider: openai, model: "*" } ] }
  - { name: echo, targets: [ { provider: offline, model: echo } ] }
prices: [ { provider: idc, model: "free-*", free: true } ]
`;

function configFile(more = "consumers: []\n"): string {
  const path = join(directory, "sluice.yaml");
  writeFileSync(path, CONFIG + more);
  return path;
}

test("each target with its price, its tiers and times, and who says so; unpriced ones say what that means", () => {
  const { status, stdout, stderr } = sluice(["prices", "--config", configFile()]);
  assert.deepEqual([status, stderr], [0, ""]);
  assert.equal(
    stdout,
    `USD per million tokens; catalogue 0.1.8 of 2026-09-23

smart
  → openai gpt-5.4: input 2.5, cached input 0.25, output 15
      above 271999 prompt tokens: input 5, cached input 0.5, output 22.5
      from the catalogue: openai gpt-5.4
  → idc qwen3-32b: unpriced: it never serves under a budget in money; give it a \`price\`, or \`free: true\`

night
  → deepseek deepseek-chat: input 0.135, cached input 0.035, output 0.55
      each day from 00:30 to 16:30 UTC: input 0.27, cached input 0.07, output 1.1
      from the catalogue: deepseek deepseek-chat

own
  → idc m: input 0.25, cached input 0, output 1.5
      from \`price\` of the target
  → idc free-1: free
      from \`prices\`: idc free-*

openai/*
  → openai *: by the model's name; ask for one

echo
  → offline echo: free
      from Sluice: its test model
`,
  );
});

test("models by name: aliases and what a * covers; what is not there is an error", () => {
  const path = configFile();
  const { status, stdout } = sluice(["prices", "--config", path, "best", "openai/gpt-5.4-pro"]);
  assert.equal(status, 0);
  assert.match(stdout, /^best\n {2}→ openai gpt-5\.4:/m);
  assert.match(stdout, /^openai\/gpt-5\.4-pro\n {2}→ openai gpt-5\.4-pro: input 30,/m);
  assert.doesNotMatch(stdout, /^night/m);
  const missing = sluice(["prices", "--config", path, "nothing", "echo"]);
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /there is no model "nothing"/);
  assert.match(missing.stdout, /^echo$/m);
  writeFileSync(path, "prices: [ { model: x } ]\n");
  const invalid = sluice(["prices", "--config", path]);
  assert.deepEqual([invalid.status, invalid.stdout], [1, ""]);
  assert.match(invalid.stderr, /prices\[0\]: has no `input`/);
});

test("as JSON, where no price is null and not zero", () => {
  const { stdout } = sluice(["prices", "--config", configFile(), "--json", "smart", "openai/*"]);
  const { catalogue, models } = JSON.parse(stdout) as { catalogue: object; models: object[] };
  assert.deepEqual(catalogue, { version: "0.1.8", date: "2026-09-23" });
  const long = { input: 5, cachedInput: 0.5, cacheWrite: 5, cacheWriteHour: 5, output: 22.5, reasoning: 22.5 };
  const short = { input: 2.5, cachedInput: 0.25, cacheWrite: 2.5, cacheWriteHour: 2.5, output: 15, reasoning: 15 };
  assert.deepEqual(models, [
    {
      model: "smart",
      targets: [
        {
          provider: "openai",
          upstreamModel: "gpt-5.4",
          price: {
            source: { kind: "catalogue", provider: "openai", model: "gpt-5.4" },
            usdPerMillionTokens: {
              ...short,
              audioInput: 2.5,
              audioOutput: 15,
              tiers: [{ above: 271_999, ...long, audioInput: 5, audioOutput: 22.5 }],
            },
            exceptions: [],
          },
        },
        { provider: "idc", upstreamModel: "qwen3-32b", price: null },
      ],
    },
    { model: "openai/*", targets: [{ provider: "openai", upstreamModel: "*", price: "open" }] },
  ]);
});

test("without a file, the built-in configuration", () => {
  const { status, stdout } = sluice(["prices", "anthropic/claude-sonnet-4-5", "echo"], { ANTHROPIC_API_KEY: "sk-x" });
  assert.equal(status, 0);
  assert.match(stdout, /cache write 3\.75, cache write for an hour 6, output 15/);
});

test("check warns of a budget in money under which a target never serves", () => {
  const key = (letter: string, more = ""): string => `{ name: ${letter}, hash: "sha256:${letter.repeat(64)}"${more} }`;
  const { status, stderr } = sluice([
    "check",
    "--quiet",
    configFile(`
consumers:
  - { name: one, budgets: { monthly: { usd: 1 } }, grants: [ { model: "*" } ], keys: [ ${key("a")} ] }
  - { name: two, grants: [ { model: best, monthly: { usd: 1 } } ], keys: [ ${key("b")} ] }
  - { name: three, grants: [ { model: "*" } ], keys: [ ${key("c", ", budgets: { monthly: { usd: 1 } }")} ] }
  - { name: four, grants: [ { model: smart } ], keys: [ ${key("d")} ] }
  - { name: five, budgets: { monthly: { usd: 1 } }, grants: [ { model: own } ], keys: [ ${key("e")} ] }
  - name: six
    grants: [ { model: "*" } ]
    keys: [ ${key("f", ', budgets: { monthly: { usd: 1 } }, grants: [ { model: "own" } ]')} ]
`),
  ]);
  assert.equal(status, 0);
  const lines = stderr.trim().split("\n");
  assert.deepEqual(
    lines.map(
      (line) =>
        /^warning: \S+sluice\.yaml: consumer "(\w+)" has a budget in money, under which targets without a price never serve: smart → idc qwen3-32b\. Give/.exec(
          line,
        )?.[1],
    ),
    ["one", "two", "three"],
    stderr,
  );
});
