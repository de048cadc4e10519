/** Runs Go's text/template, and the cases that are compared with it. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A template and what it is rendered with. */
export interface TemplateCase {
  readonly template: string;
  /** JSON text. */
  readonly data: string;
  readonly missingKey: "error" | "default" | "zero";
}

/** What Go made of a case: one of the two. */
export interface GoResult {
  readonly output?: string;
  readonly error?: string;
}

/** What `go version` says; undefined where there is no go. */
export function goVersion(): string | undefined {
  const { status, stdout } = spawnSync("go", ["version"]);
  return status === 0 ? stdout.toString().trim() : undefined;
}

/** Builds the Go program and returns a function that renders cases with it, and one that deletes it. */
export function buildGoRenderer(): { render: (cases: readonly TemplateCase[]) => GoResult[]; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "sluice-go-template-"));
  const program = join(folder, "render");
  execFileSync("go", ["build", "-o", program, join(import.meta.dirname, "main.go")], {
    env: { ...process.env, GO111MODULE: "off" },
  });
  const render = (cases: readonly TemplateCase[]): GoResult[] => {
    const json = cases.map(
      ({ template, data, missingKey }) =>
        `{"template":${JSON.stringify(template)},"missingKey":"${missingKey}","data":${data}}`,
    );
    const output = execFileSync(program, {
      input: `[${json.join(",")}]`,
      maxBuffer: 64 * 1024 * 1024,
      timeout: 20_000,
    });
    return JSON.parse(output.toString()) as GoResult[];
  };
  return { render, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
