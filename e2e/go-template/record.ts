/**
 * Writes results.json: what Go makes of the hand-picked cases and of some generated ones. To be run with go on the
 * PATH after a change of cases.ts: `node e2e/go-template/record.ts`.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { groups } from "./cases.ts";
import { templateCase } from "./generate.ts";
import { buildGoRenderer, goVersion } from "./go.ts";
import type { TemplateCase } from "./go.ts";
import type { Recording } from "./recording.ts";

const GENERATED = 600;
const SEED = 20_261_125;
/** Templates that may meet a missing key are rendered in all three ways. */
const MAY_MISS = /issing|\.x|\.y|foo|ope|NIL/;

const cases: TemplateCase[] = groups.flatMap(({ data, templates }) =>
  templates.flatMap((template) =>
    (MAY_MISS.test(template) ? (["error", "default", "zero"] as const) : (["error"] as const)).map((missingKey) => ({
      template,
      data: onOneLine(data),
      missingKey,
    })),
  ),
);
cases.push(...fc.sample(templateCase, { numRuns: GENERATED, seed: SEED }));

/** Without line breaks; the digits of numbers are kept. */
function onOneLine(json: string): string {
  return json.replaceAll(/\n\s*/g, " ");
}

const go = buildGoRenderer();
try {
  const results = go.render(cases);
  const data = [...new Set(cases.map((each) => each.data))];
  const recording: Recording = {
    go: goVersion() ?? "",
    data,
    cases: cases.map(({ template, missingKey, data: json }, index) => ({
      template,
      ...(missingKey === "error" ? {} : { missingKey }),
      data: data.indexOf(json),
      ...results[index],
    })),
  };
  const lines = recording.cases.map((each) => `    ${JSON.stringify(each)}`).join(",\n");
  const texts = recording.data.map((each) => `    ${JSON.stringify(each)}`).join(",\n");
  writeFileSync(
    join(import.meta.dirname, "results.json"),
    `{\n  "go": ${JSON.stringify(recording.go)},\n  "data": [\n${texts}\n  ],\n  "cases": [\n${lines}\n  ]\n}\n`,
  );
  process.stdout.write(`${cases.length} cases recorded\n`);
} finally {
  go.remove();
}
