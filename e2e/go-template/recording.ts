/** The recorded results of Go, so that they can be compared with where Go is not installed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { GoResult, TemplateCase } from "./go.ts";

/** What results.json holds. */
export interface Recording {
  /** What `go version` said. */
  readonly go: string;
  /** JSON texts. */
  readonly data: readonly string[];
  readonly cases: readonly RecordedCase[];
}

interface RecordedCase extends GoResult {
  readonly template: string;
  /** `error` where it is left out. */
  readonly missingKey?: TemplateCase["missingKey"];
  /** Index of its data. */
  readonly data: number;
}

/** The recorded cases and what Go made of them. */
export function readRecording(): { go: string; cases: TemplateCase[]; results: GoResult[] } {
  const recording = JSON.parse(readFileSync(join(import.meta.dirname, "results.json"), "utf8")) as Recording;
  const cases = recording.cases.map(({ template, missingKey = "error", data }) => ({
    template,
    missingKey,
    data: recording.data[data]!,
  }));
  const results = recording.cases.map(({ output, error }) => ({
    ...(output === undefined ? {} : { output }),
    ...(error === undefined ? {} : { error }),
  }));
  return { go: recording.go, cases, results };
}
