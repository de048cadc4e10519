/** What the documentation says that can be compared with the program: links, configurations, codes, metrics, fields, options. */
import assert from "node:assert/strict";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "node:test";
import { z } from "zod";
import { loadConfig } from "../src/config/load.ts";
import { MODEL_FILTERS, REQUEST_FILTERS } from "../src/filters/builtin.ts";
import { ERROR_STATUS } from "../src/lib/errors.ts";
import { startGateway } from "./harness.ts";

const root = join(import.meta.dirname, "..");
const papers = globSync(["*.md", "docs/**/*.md"], { cwd: root }).toSorted();
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** Code in fences: its examples hold brackets that are no links. */
const withoutCode = (text: string): string => text.replaceAll(/^```.*?^```$/gms, "").replaceAll(/`[^`\n]*`/g, "");

/** The anchors that a paper's headings have, as GitHub makes them. */
function anchorsOf(path: string): Set<string> {
  const headings = read(path).matchAll(/^#+ (.+)$/gm);
  return new Set(
    Array.from(headings, ([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** The part of a paper from a heading to the next one of its rank. */
function section(path: string, heading: string): string {
  const text = read(path);
  const start = text.indexOf(`\n${heading}\n`);
  assert.ok(start >= 0, `${path} has no "${heading}"`);
  const rank = heading.slice(0, heading.indexOf(" ") + 1);
  const end = text.indexOf(`\n${rank}`, start + heading.length);
  return text.slice(start, end < 0 ? undefined : end);
}

/** The words in backticks of a table's column. */
function wordsOf(table: string, column: number): string[] {
  return table
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .flatMap((line) => Array.from((line.split(" | ")[column] ?? "").matchAll(/`([^`]+)`/g), ([, word = ""]) => word));
}

test("links lead somewhere", () => {
  for (const paper of papers) {
    for (const [, target = ""] of withoutCode(read(paper)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? paper : join(dirname(paper), path);
      assert.ok(existsSync(join(root, file)), `${paper} links to ${target}, and there is no ${file}`);
      if (anchor !== undefined) assert.ok(anchorsOf(file).has(anchor), `${paper} links to ${target}: no such heading`);
    }
  }
});

test("whole configurations in the papers are valid, without a warning", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-docs-"));
  t.after(() => {
    rmSync(directory, { recursive: true });
  });
  const path = join(directory, "sluice.yaml");
  let count = 0;
  for (const paper of papers) {
    for (const [, yaml = ""] of read(paper).matchAll(/^```yaml\n(.*?)^```$/gms)) {
      if (!/^consumers:/m.test(yaml)) continue;
      count++;
      writeFileSync(path, yaml);
      const filters = { request: REQUEST_FILTERS, model: MODEL_FILTERS };
      const { warnings } = loadConfig(path, { filters, environment: { OPENAI_API_KEY: "sk-x" } });
      assert.deepEqual(warnings, [], paper);
    }
  }
  assert.ok(count >= 3, `${count} configurations`);
});

test("clients.md has every error code, with its status", () => {
  const rows = section("docs/clients.md", "## Errors")
    .split("\n")
    .map((line) => /^\| `(\w+)`[^|]*\| ([^|]+) \|/.exec(line))
    .filter((row) => row !== null);
  // what only the configuration can say reaches no client
  const codes = Object.keys(ERROR_STATUS).filter((code) => code !== "invalid_configuration");
  assert.deepEqual(rows.map(([, code]) => code).toSorted(), codes.toSorted());
  for (const [row, code = "", status = ""] of rows) {
    const expected = String(ERROR_STATUS[code as keyof typeof ERROR_STATUS]);
    assert.ok(status.includes(expected) || status === "in a stream", row);
  }
});

test("configuration.md has every filter with its options", () => {
  for (const [filters, where] of [
    [REQUEST_FILTERS, "routes"],
    [MODEL_FILTERS, "targets"],
  ] as const) {
    for (const { name, schema } of filters) {
      const text = section("docs/configuration.md", `### \`${name}\` (${where})`);
      for (const option of Object.keys(z.toJSONSchema(schema, { io: "input" }).properties ?? {})) {
        assert.ok(text.includes(`\`${option}\``), `${name} has ${option}`);
      }
    }
  }
});

test("operations.md has every metric and every field of the access log", async (t) => {
  const gateway = await startGateway(t, {});
  const key = /sk-sluice-[\w-]+/.exec(gateway.log())?.[0] ?? "";
  for (const model of ["echo", "nothing"]) {
    await fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ model, messages: [{ role: "user", content: "x" }] }),
    });
  }
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const metrics = Array.from(text.matchAll(/^# TYPE (\S+)/gm), ([, name = ""]) => name);
  assert.deepEqual(
    wordsOf(section("docs/operations.md", "## Metrics"), 0).filter(isMetric).toSorted(),
    metrics.toSorted(),
  );
  await gateway.stop();
  const fields = new Set(
    gateway
      .output()
      .trim()
      .split("\n")
      .flatMap((line) => Object.keys(JSON.parse(line) as object)),
  );
  // the built-in model has no credential, and no template was asked
  fields.add("credential").add("template");
  const documented = wordsOf(section("docs/operations.md", "## Access log"), 0);
  assert.deepEqual(documented.toSorted(), [...fields].toSorted());
});

function isMetric(word: string): boolean {
  return word.startsWith("sluice_");
}
