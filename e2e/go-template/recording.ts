/**
 * cases.jsonl: templates, data, and what Go made of them, so that they can be compared with where Go is not installed.
 * Its first line says which Go; the second holds the data that the cases refer to; then comes a case a line. Most are
 * after Go's own tests, some were generated.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { GoResult, TemplateCase } from "./go.ts";

const FILE = join(import.meta.dirname, "cases.jsonl");

interface RecordedCase extends GoResult {
  readonly template: string;
  /** `error` where it is left out. */
  readonly missingKey?: TemplateCase["missingKey"];
  /** Index in the data. */
  readonly data: number;
}

/** The cases and what Go made of them. */
export interface Recording {
  /** What `go version` said. */
  readonly go: string;
  readonly cases: readonly TemplateCase[];
  readonly results: readonly GoResult[];
}

export function readRecording(): Recording {
  const [head, texts, ...rows] = readFileSync(FILE, "utf8").trimEnd().split("\n");
  const { data } = JSON.parse(texts!) as { data: string[] };
  const recorded = rows.map((row) => JSON.parse(row) as RecordedCase);
  return {
    go: (JSON.parse(head!) as { go: string }).go,
    cases: recorded.map(({ template, missingKey = "error", data: index }) => ({
      template,
      missingKey,
      data: data[index]!,
    })),
    results: recorded.map(({ output, error }) => ({
      ...(output === undefined ? {} : { output }),
      ...(error === undefined ? {} : { error }),
    })),
  };
}

export function writeRecording({ go, cases, results }: Recording): void {
  const data = [...new Set(cases.map((each) => each.data))];
  const rows = cases.map(({ template, missingKey, data: json }, index) =>
    JSON.stringify({
      template,
      ...(missingKey === "error" ? {} : { missingKey }),
      data: data.indexOf(json),
      ...results[index],
    }),
  );
  writeFileSync(FILE, [JSON.stringify({ go }), JSON.stringify({ data }), ...rows, ""].join("\n"));
}
