// That the import bans of .oxlintrc.json fire, each with its reason, and let through what is allowed: a pattern with a
// mistake in it would otherwise ban nothing, in silence.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";

const root = join(import.meta.dirname, "..");

/** File, what it imports, and a part of the reason that the ban gives. */
const banned: [file: string, specifier: string, reason: RegExp][] = [
  ["src/lib/a.ts", "../config/snapshot.ts", /without domain words/],
  ["src/lib/deep/a.ts", "../../dialects/form.ts", /without domain words/],
  ["src/config/a.ts", "../engine/engine.ts", /imports only lib/],
  ["src/config/b.ts", "../dialects/openai/dialect.ts", /by name only/],
  ["src/config/c.ts", "../store/store.ts", /data plane never imports/],
  ["src/dialects/fold.ts", "./openai/wire.ts", /Only builtin\.ts/],
  ["src/dialects/openai/a.ts", "../anthropic/wire.ts", /No dialect imports another/],
  ["src/dialects/openai/b.ts", "../../config/snapshot.ts", /pure functions/],
  ["src/dialects/openai/deep/a.ts", "../../anthropic/wire.ts", /No dialect imports another/],
  ["src/dialects/openai/c.test.ts", "../anthropic/wire.ts", /No dialect imports another/],
  ["src/upstreams/a.ts", "../balancing/a.ts", /peers/],
  ["src/upstreams/http1/a.ts", "../../engine/engine.ts", /downward only/],
  ["src/balancing/a.ts", "../upstreams/origin.ts", /peers/],
  ["src/quotas/a.ts", "../ledger/entry.ts", /peers/],
  ["src/ledger/a.ts", "../filters/contract.ts", /downward only/],
  ["src/directory/a.ts", "../control/a.ts", /data plane never imports/],
  ["src/filters/contract.ts", "./request/cors/cors.ts", /Only builtin\.ts/],
  ["src/filters/request/cors/a.ts", "../body_limit/body_limit.ts", /No filter imports another/],
  ["src/filters/request/cors/b.ts", "../../model/params/params.ts", /No filter imports another/],
  ["src/filters/request/cors/c.ts", "../../../engine/engine.ts", /downward only/],
  ["src/filters/model/params/a.ts", "../../../store/store.ts", /data plane never imports/],
  ["src/templates/a.ts", "../filters/contract.ts", /made of templates/],
  ["src/mcp/a.ts", "../filters/contract.ts", /made of templates/],
  ["src/engine/a.ts", "../server/gateway.ts", /downward only/],
  ["src/engine/b.ts", "../observability/metrics.ts", /main thread/],
  ["src/engine/c.ts", "../control/a.ts", /data plane never imports/],
  ["src/server/a.ts", "../cli/serve.ts", /downward only/],
  ["src/server/b.ts", "../store/store.ts", /data plane never imports/],
  ["src/observability/a.ts", "../engine/engine.ts", /reads the ledger/],
  ["src/store/a.ts", "../control/a.ts", /knows nothing of who/],
  ["src/control/a.ts", "../cli/apply.ts", /downward only/],
  ["src/simulate/a.ts", "../dialects/form.ts", /independent second implementation/],
  ["src/cli/a.ts", "../main.ts", /nobody's library/],
  ["src/engine/d.ts", "undici", /one pool/],
  ["src/engine/e.ts", "node:stream/web", /Web streams/],
];

const allowed: [file: string, specifier: string][] = [
  ["src/lib/x.ts", "./json.ts"],
  ["src/config/x.ts", "../dialects/form.ts"],
  ["src/dialects/builtin.ts", "./openai/dialect.ts"],
  ["src/dialects/openai/x.ts", "../form.ts"],
  ["src/dialects/openai/y.ts", "../../lib/json.ts"],
  ["src/dialects/openai/deep/x.ts", "../wire.ts"],
  ["src/upstreams/x.ts", "undici"],
  ["src/upstreams/http1/x.ts", "../origin.ts"],
  ["src/filters/builtin.ts", "./request/cors/cors.ts"],
  ["src/filters/request/cors/x.ts", "../../contract.ts"],
  ["src/filters/request/cors/y.ts", "../../../templates/render.ts"],
  ["src/engine/x.ts", "../filters/builtin.ts"],
  ["src/server/x.ts", "../observability/metrics.ts"],
  ["src/observability/x.ts", "../ledger/entry.ts"],
  ["src/control/x.ts", "../store/store.ts"],
  ["src/cli/x.ts", "../server/gateway.ts"],
];

interface OxlintReport {
  diagnostics: { filename: string; code: string; message: string; help?: string }[];
}

let directory: string;
const messages = new Map<string, string[]>();

before(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-bans-"));
  const config: unknown = JSON.parse(readFileSync(join(root, ".oxlintrc.json"), "utf8"));
  assert.ok(typeof config === "object" && config !== null);
  // Without the rules that need types: there is no program here that they could read.
  write(".oxlintrc.json", JSON.stringify({ ...config, options: {} }));
  for (const [file, specifier] of [...banned, ...allowed]) write(file, `import { x } from "${specifier}";\nx();\n`);
  write("src/engine/fetches.ts", 'await fetch("http://example.com");\nnew ReadableStream();\n');
  write("src/upstreams/fetches.ts", 'import { fetch } from "undici";\nawait fetch("http://example.com");\n');
  write("src/engine/fetches.test.ts", 'await fetch("http://example.com");\n');

  const oxlint = join(root, "node_modules/oxlint/bin/oxlint");
  const { stdout } = spawnSync(process.execPath, [oxlint, "--format=json"], { cwd: directory, encoding: "utf8" });
  const report = JSON.parse(stdout) as OxlintReport;
  for (const { filename, code, message, help } of report.diagnostics) {
    if (!/no-restricted/.test(code)) continue;
    messages.set(filename, [...(messages.get(filename) ?? []), `${message} ${help ?? ""}`]);
  }
});

after(() => rmSync(directory, { recursive: true }));

for (const [file, specifier, reason] of banned) {
  test(`${file} may not import ${specifier}`, () => {
    assert.match(messages.get(file)?.join("\n") ?? "nothing was reported", reason);
  });
}

test("what the layering allows is not reported", () => {
  for (const [file] of allowed) assert.deepEqual(messages.get(file) ?? [], [], file);
});

test("fetch and web streams are banned on the data path, but not in its tests", () => {
  assert.match(messages.get("src/engine/fetches.ts")?.join("\n") ?? "", /use an Origin/);
  assert.match(messages.get("src/engine/fetches.ts")?.join("\n") ?? "", /Web streams/);
  assert.match(messages.get("src/upstreams/fetches.ts")?.join("\n") ?? "", /use an Origin/);
  assert.deepEqual(messages.get("src/engine/fetches.test.ts") ?? [], []);
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), text);
}
