// Runs the tests: npm test [-- PATTERN… --name REGEX]
//
// A PATTERN selects the test files whose path contains it, or matches it as a glob; --name selects tests by their name.
// The parts that end-to-end tests need are prepared first (scripts/test-parts.ts) if a selected file may use them.
// The last line is "N passed, N failed, N skipped".
import { globSync } from "node:fs";
import { join, matchesGlob } from "node:path";
import { pipeline } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { parseArgs } from "node:util";
import { prepareTestParts } from "./test-parts.ts";

const testFiles = "{src,bench,e2e,examples,scripts}/**/*.test.ts";

/** Test files running at once. Many start servers and workers of their own, so more than this only makes them wait. */
const concurrency = 2;

/** The longest that one test may take, in milliseconds; test-watchdog.ts limits whole files. */
const testTimeoutMs = 120_000;

const root = join(import.meta.dirname, "..");
const { values, positionals } = parseArgs({ options: { name: { type: "string" } }, allowPositionals: true });
const files = globSync(testFiles, { cwd: root, exclude: ["**/node_modules/**"] })
  .filter((file) => positionals.length === 0 || positionals.some((pattern) => isSelectedBy(pattern, file)))
  .toSorted()
  .map((file) => join(root, file));

if (files.length === 0) {
  console.error(`no test file matches ${positionals.join(" ")}: a pattern is part of a path, or a glob`);
  process.exitCode = 1;
} else {
  if (files.some((file) => /\/(e2e|examples)\//.test(file.slice(root.length)))) await prepareTestParts();
  await runTests();
}

async function runTests(): Promise<void> {
  const unfinished = new Set(files);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const interrupt = new AbortController();
  // Without this a signal would end the runner and leave the test processes behind.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => interrupt.abort());

  const tests = run({
    files,
    cwd: root,
    concurrency,
    timeout: testTimeoutMs,
    signal: interrupt.signal,
    execArgv: ["--import", join(import.meta.dirname, "test-watchdog.ts")],
    ...(values.name === undefined ? {} : { testNamePatterns: [new RegExp(values.name)] }),
  });
  tests.on("test:summary", (summary) => {
    if (summary.file !== undefined) {
      unfinished.delete(summary.file);
      return;
    }
    const { tests: all, passed, skipped, todo } = summary.counts;
    counts.passed = passed;
    counts.failed = all - passed - skipped - todo;
    counts.skipped = skipped;
  });
  await pipeline(tests, spec(), process.stdout, { end: false });

  // A file that died before its end is not always among the failures that the runner counts.
  for (const file of unfinished)
    console.log(`✖ ${file.slice(root.length + 1)} ended before all of its tests were done`);
  const failed = Math.max(counts.failed, unfinished.size);
  console.log(`${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped`);
  process.exitCode = failed === 0 ? 0 : 1;
}

function isSelectedBy(pattern: string, file: string): boolean {
  return file.includes(pattern.replace(/^\.\//, "")) || matchesGlob(file, pattern);
}
