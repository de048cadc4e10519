/** Loads a configuration file: from text to snapshot, or to an error that names everything wrong with it. */
import { dirname, resolve } from "node:path";
import { buildSnapshot } from "./build.ts";
import { readDocument } from "./document.ts";
import { Findings } from "./findings.ts";
import type { Finding } from "./findings.ts";
import type { KnownFilters } from "./known-filters.ts";
import type { LoadedFile } from "./loaded-file.ts";
import { ConfigError, formatPath, MAX_REPORTED_PROBLEMS } from "./problem.ts";
import type { ConfigProblem, DocumentPath } from "./problem.ts";
import type { Snapshot } from "./snapshot.ts";
import { Substitutor } from "./substitute.ts";
import type { Environment } from "./substitute.ts";
import { readConfigText, UnreadableFileError } from "./text.ts";
import type { FileText } from "./text.ts";
import { validateDocument } from "./validate.ts";
import { readYaml } from "./yaml.ts";
import type { YamlValue } from "./yaml.ts";

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

/** Values of these keys are secrets, or may hold one: they are not quoted in errors. */
const UNQUOTED_KEYS: ReadonlySet<string | number> = new Set([
  "apiKey",
  "hash",
  "headers",
  "options",
  "baseUrl",
  "nodes",
  "tls",
]);
const MAX_QUOTED_LENGTH = 60;

/**
 * Reads and checks a YAML or JSON file. Blocks while it does, which for 10,000 models and as many routes is long
 * enough that a running gateway calls it in a thread of its own.
 * @throws ConfigError
 */
export function loadConfig(path: string, options: LoadOptions): LoadResult {
  const absolute = resolve(path);
  const findings = new Findings();
  let source: FileText;
  try {
    source = readConfigText(absolute);
  } catch (error) {
    if (!(error instanceof UnreadableFileError)) {
      throw error;
    }
    const problem = { file: path, line: 1, column: 1, path: "", message: `the file ${error.message}`, remedy: error.remedy };
    throw new ConfigError([problem], [{ path: absolute, digest: error.digest }]);
  }
  const directory = dirname(absolute);
  const substitutor = new Substitutor(options.environment ?? process.env, directory);
  const yaml = readYaml(source.text, substitutor, findings);
  const snapshot = readSnapshot(yaml, { directory, substitutor, findings }, options);
  const files = [{ path: absolute, digest: source.digest }, ...substitutor.files];
  if (snapshot === undefined) {
    throw new ConfigError(resolveFindings(path, findings.errors, yaml), files);
  }
  return { snapshot, warnings: resolveFindings(path, findings.warnings, yaml).slice(0, MAX_REPORTED_PROBLEMS), files };
}

function readSnapshot(
  yaml: YamlValue,
  context: { readonly directory: string; readonly substitutor: Substitutor; readonly findings: Findings },
  options: LoadOptions,
): Snapshot | undefined {
  const { findings } = context;
  const { value } = yaml;
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

/** Gives findings their places in the text and puts them in its order. */
function resolveFindings(file: string, found: readonly Finding[], yaml: YamlValue): ConfigProblem[] {
  const placed = firstOfEachPlace(found).map((finding) => {
    const { offset } = finding;
    return { finding, position: offset === undefined ? yaml.locate(finding.path, finding.target) : yaml.positionAt(offset) };
  });
  placed.sort((left, right) => left.position.line - right.position.line || left.position.column - right.position.column);
  return placed.map(({ finding, position }, index) => ({
    file,
    ...position,
    path: formatPath(finding.path),
    message: finding.message + quote(finding, yaml),
    remedy: typeof finding.remedy === "string" ? finding.remedy : index < MAX_REPORTED_PROBLEMS ? finding.remedy() : "",
  }));
}

/** What else is said of one place follows from the first: the variable is not set, so this is no number. */
function firstOfEachPlace(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ path, offset, target }) => {
    const place = JSON.stringify([path, offset, target]);
    const isFirst = !seen.has(place);
    seen.add(place);
    return isFirst;
  });
}

/** `, found "10x"`: only what is short, a plain value, written in the file itself and no secret. */
function quote(finding: Finding, yaml: YamlValue): string {
  const { path, target } = finding;
  const value = target === "value" && finding.offset === undefined ? valueAt(yaml.value, path) : undefined;
  const isPlain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  if (!isPlain || path.some((step) => UNQUOTED_KEYS.has(step)) || yaml.isSubstituted(path)) {
    return "";
  }
  const text = JSON.stringify(value);
  return finding.message.includes(text) || text.length > MAX_QUOTED_LENGTH ? "" : `, found ${text}`;
}

function valueAt(value: unknown, path: DocumentPath): unknown {
  let found = value;
  for (const step of path) {
    found = typeof found === "object" && found !== null ? Reflect.get(found, step) : undefined;
  }
  return found;
}
