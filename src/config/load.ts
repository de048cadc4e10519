/** Loads a configuration file: from text to snapshot, or to an error that names everything wrong with it. */
import { dirname, resolve } from "node:path";
import { buildSnapshot } from "./build.ts";
import type { BuildContext } from "./build.ts";
import { readDocument } from "./document.ts";
import { Findings } from "./findings.ts";
import type { KnownFilters } from "./known-filters.ts";
import type { LoadedFile } from "./loaded-file.ts";
import { readPlainYaml } from "./plain-yaml.ts";
import { ConfigError, MAX_REPORTED_PROBLEMS } from "./problem.ts";
import type { ConfigProblem } from "./problem.ts";
import { reportFindings } from "./report.ts";
import type { Snapshot } from "./snapshot.ts";
import { SubstitutionError, Substitutor } from "./substitute.ts";
import type { Environment } from "./substitute.ts";
import { readConfigText, UnreadableFileError } from "./text.ts";
import type { FileText } from "./text.ts";
import { validateDocument } from "./validate.ts";
import { readYaml } from "./yaml.ts";

/** What a file is loaded against. */
export interface LoadOptions {
  readonly filters: KnownFilters;
  /** What `${NAME}` refers to; the process's environment if left out. */
  readonly environment?: Environment;
  /** Milliseconds since the epoch, to warn of expired keys; now if left out. */
  readonly now?: number;
}

/** A configuration that can run. */
export interface LoadResult {
  readonly snapshot: Snapshot;
  /** Allowed, but hardly meant. At most MAX_REPORTED_PROBLEMS. */
  readonly warnings: readonly ConfigProblem[];
  /** Every file that was read, the configuration first: watch them all. */
  readonly files: readonly LoadedFile[];
}

/**
 * Reads and checks a YAML or JSON file. Blocks while it does, which for 10,000 models and as many routes is long
 * enough that a running gateway calls it in a thread of its own.
 * @throws ConfigError
 */
export function loadConfig(path: string, options: LoadOptions): LoadResult {
  const absolute = resolve(path);
  let source: FileText;
  try {
    source = readConfigText(absolute);
  } catch (error) {
    if (!(error instanceof UnreadableFileError)) {
      throw error;
    }
    const problem = {
      file: path,
      line: 1,
      column: 1,
      path: "",
      message: `the file ${error.message}`,
      remedy: error.remedy,
    };
    throw new ConfigError([problem], [{ path: absolute, digest: error.digest }]);
  }
  const directory = dirname(absolute);
  const substitutor = new Substitutor(options.environment ?? process.env, directory);
  const snapshot = loadPlain(source.text, directory, substitutor, options);
  if (snapshot !== undefined) {
    return { snapshot, warnings: [], files: filesOf(absolute, source, substitutor) };
  }
  const findings = new Findings();
  const yaml = readYaml(source.text, substitutor, findings);
  const careful = readSnapshot(yaml.value, { directory, substitutor, findings }, options);
  const files = filesOf(absolute, source, substitutor);
  if (careful === undefined) {
    throw new ConfigError(reportFindings(path, findings.errors, yaml), files);
  }
  const warnings = reportFindings(path, findings.warnings, yaml).slice(0, MAX_REPORTED_PROBLEMS);
  return { snapshot: careful, warnings, files };
}

function filesOf(path: string, source: FileText, substitutor: Substitutor): LoadedFile[] {
  return [{ path, digest: source.digest }, ...substitutor.files];
}

/** The quick way, for a file in plain YAML about which there is nothing to say; anything else is read with care. */
function loadPlain(
  text: string,
  directory: string,
  substitutor: Substitutor,
  options: LoadOptions,
): Snapshot | undefined {
  const plain = readPlainYaml(text);
  if (plain === undefined) {
    return undefined;
  }
  const findings = new Findings();
  try {
    substitutor.applyWithin(plain);
    const snapshot = readSnapshot(plain.value, { directory, substitutor, findings }, options);
    return findings.warnings.length === 0 ? snapshot : undefined;
  } catch (error) {
    if (error instanceof SubstitutionError) {
      return undefined;
    }
    throw error;
  }
}

function readSnapshot(value: unknown, context: BuildContext, options: LoadOptions): Snapshot | undefined {
  const { findings } = context;
  if (value === undefined) {
    return undefined;
  }
  if (value === null) {
    findings.add([], "the file is empty", "See docs/configuration.md, or start without --config to try Sluice.");
    return undefined;
  }
  if (typeof value !== "object" || Array.isArray(value)) {
    findings.add([], "the file must be a map at its top", "Begin with a key, such as `providers:`.");
    return undefined;
  }
  const document = readDocument(value, findings);
  validateDocument(document, options.filters, options.now ?? Date.now(), findings);
  return buildSnapshot(document, context);
}
