/** For the tests beside it: loads configurations from text. Named as a test so that no release holds it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { z } from "zod";
import { loadConfig } from "./load.ts";
import type { LoadResult } from "./load.ts";
import type { KnownFilters } from "./known-filters.ts";
import { ConfigError } from "./problem.ts";
import type { Environment } from "./substitute.ts";

/** Filters of either kind with options of their own. */
export const TEST_FILTERS: KnownFilters = {
  request: [
    { name: "cors", schema: z.strictObject({ origins: z.array(z.string()).default([]) }) },
    { name: "v2_chat_template", schema: z.strictObject({ prompt: z.string() }) },
  ],
  model: [{ name: "think_tags", schema: z.strictObject({ field: z.enum(["a", "b"]).default("a") }) }],
};

/** A moment when nothing in the tests has expired that should not have. */
export const TEST_NOW = Date.parse("2026-06-01T00:00:00Z");

/** A directory of its own that is removed when the test file ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-config-"));
  after(() => {
    rmSync(directory, { recursive: true });
  });
  return directory;
}

/** Loads texts as files of one directory. */
export class TestConfig {
  readonly directory = temporaryDirectory();
  readonly path = join(this.directory, "sluice.yaml");

  load(text: string | Buffer, environment: Environment = {}): LoadResult {
    writeFileSync(this.path, text);
    return loadConfig(this.path, { filters: TEST_FILTERS, environment, now: TEST_NOW });
  }

  /** The error of a text that must not load. */
  refuse(text: string | Buffer, environment: Environment = {}): ConfigError {
    try {
      this.load(text, environment);
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error instanceof Error ? error.stack : error));
      return error;
    }
    throw new assert.AssertionError({ message: `this was accepted: ${text.toString().slice(0, 200)}` });
  }

  /** `line:column path: message. remedy` of each problem of a text that must not load. */
  problems(text: string, environment: Environment = {}): string[] {
    return this.refuse(text, environment).problems.map(
      ({ line, column, path, message, remedy }) =>
        `${line}:${column} ${path}: ${message}.${remedy === "" ? "" : ` ${remedy}`}`,
    );
  }
}
