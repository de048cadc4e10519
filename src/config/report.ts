/** From findings to problems: places in the text, in its order, worded for people, without secrets. */
import type { Finding } from "./findings.ts";
import { formatPath, MAX_REPORTED_PROBLEMS } from "./problem.ts";
import type { ConfigProblem, DocumentPath } from "./problem.ts";
import type { YamlValue } from "./yaml.ts";

/** Values of these keys are secrets, or may hold one: they are not quoted in errors. */
const UNQUOTED_KEYS: ReadonlySet<string | number> = new Set([
  "apiKey",
  "hash",
  "headers",
  "options",
  "baseUrl",
  "nodes",
  "tls",
  "store",
  "redis",
]);
const MAX_QUOTED_LENGTH = 60;

/** Gives findings their places in the text and puts them in its order. */
export function reportFindings(file: string, found: readonly Finding[], yaml: YamlValue): ConfigProblem[] {
  const placed = firstOfEachPlace(found).map((finding) => {
    const { offset } = finding;
    return {
      finding,
      position: offset === undefined ? yaml.locate(finding.path, finding.target) : yaml.positionAt(offset),
    };
  });
  placed.sort(
    (left, right) => left.position.line - right.position.line || left.position.column - right.position.column,
  );
  return placed.map(({ finding, position }, index) => ({
    file,
    ...position,
    path: formatPath(finding.path),
    message: finding.message + quote(finding, yaml),
    remedy: typeof finding.remedy === "string" ? finding.remedy : index < MAX_REPORTED_PROBLEMS ? finding.remedy() : "",
  }));
}

/** What else is said of one place follows from the first: the variable is not set, so this is no number. (Not so at the top.) */
function firstOfEachPlace(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ path, offset, target, message }) => {
    const place = JSON.stringify([path, offset, target, path.length === 0 ? message : ""]);
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
  const isSaid = typeof value === "string" && finding.message.includes(text);
  return isSaid || text.length > MAX_QUOTED_LENGTH ? "" : `, found ${text}`;
}

function valueAt(value: unknown, path: DocumentPath): unknown {
  let found = value;
  for (const step of path) {
    found = typeof found === "object" && found !== null ? Reflect.get(found, step) : undefined;
  }
  return found;
}
