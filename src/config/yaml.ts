/** YAML (and JSON, which is YAML) to plain data, with the position of everything at hand for errors. */
import { LineCounter, parseDocument } from "yaml";
import type { YAMLError } from "yaml";
import type { Findings } from "./findings.ts";
import type { DocumentPath, Position } from "./problem.ts";
import type { Substitutor } from "./substitute.ts";
import { YamlWalk } from "./yaml-walk.ts";

/** Syntax errors reported: those after the first few mostly follow from it. */
const MAX_SYNTAX_ERRORS = 5;

const SUBSTITUTION_REMEDY = 'Within { } and [ ], text with ${…} must be quoted: "${NAME}".';

/** What a YAML text says. */
export interface YamlValue {
  /** Maps as objects, lists as arrays; undefined if the text does not parse. */
  readonly value: unknown;
  /** Where the value (or the key) at a path is; for a path that is not there, where its nearest parent is. */
  locate(path: DocumentPath, target: "key" | "value"): Position;
  positionAt(offset: number): Position;
  /** Something was substituted in the string at this path: it may be a secret. */
  isSubstituted(path: DocumentPath): boolean;
}

/** Reads one document. What is wrong with it goes to `findings`; nothing is thrown for bad input. */
export function readYaml(text: string, substitutor: Substitutor, findings: Findings): YamlValue {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false, // they would quote the line at fault, which may hold a secret
    merge: true,
    stringKeys: true,
    uniqueKeys: false, // quadratic; the walk does it
    resolveKnownTags: false,
    logLevel: "error", // "silent" would pass over a second document
  });
  const walk = new YamlWalk(document, substitutor, findings);
  const problems: YAMLError[] = [...document.errors, ...document.warnings];
  const positionAt = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  addSyntaxErrors(text, problems, positionAt, findings);
  return {
    value: problems.length === 0 ? walk.run() : undefined,
    locate: (path, target) => positionAt(walk.offsetOf(path, target)),
    positionAt,
    isSubstituted: (path) => walk.isSubstituted(path),
  };
}

/** One error a line: the others of that line follow from it. */
function addSyntaxErrors(
  text: string,
  errors: readonly YAMLError[],
  positionAt: (offset: number) => Position,
  findings: Findings,
): void {
  const seen = new Set<number>();
  for (const error of errors) {
    const offset = error.pos[0];
    const { line } = positionAt(offset);
    if (!seen.has(line) && seen.size < MAX_SYNTAX_ERRORS) {
      seen.add(line);
      const [message, remedy] = describeSyntaxError(error);
      const lineText = text.slice(text.lastIndexOf("\n", offset - 1) + 1, offset + 1);
      findings.addAt(offset, [], message, lineText.includes("${") ? SUBSTITUTION_REMEDY : remedy);
    }
  }
}

/** Message and remedy. The parser's own words are kept only where they cannot quote the text. */
function describeSyntaxError(error: YAMLError): [message: string, remedy: string] {
  switch (error.code) {
    case "TAB_AS_INDENT":
      return ["a tab is used as indentation", "Indent with spaces."];
    case "MULTIPLE_DOCS":
      return ["the file holds more than one YAML document", "Remove the second `---` and what follows it."];
    case "RESOURCE_EXHAUSTION":
      return ["the document is nested too deeply", ""];
    case "NON_STRING_KEY":
      return ["a key is not a plain word", "Quote it if it is meant as a key."];
    case "BAD_ALIAS":
      return ["an alias (*name) is not well formed", "Quote the text if no alias is meant."];
    case "TAG_RESOLVE_FAILED":
      return ["tags (!name) are not used in this file", "Quote the text if no tag is meant."];
    case "BLOCK_AS_IMPLICIT_KEY":
      return ["a second `: ` stands on one line", "Quote the text that holds it."];
    case "MISSING_CHAR":
    case "BAD_INDENT":
    case "BAD_DQ_ESCAPE":
    case "MULTILINE_IMPLICIT_KEY":
    case "KEY_OVER_1024_CHARS":
      return [`not valid YAML: ${error.message.replace(/\.$/, "")}`, "Check indentation, quotes and brackets."];
    case "BAD_SCALAR_START":
      return ["text may not start with this character", "Quote it."];
    default:
      return ["not valid YAML: something here is not expected", "Check indentation, quotes and brackets."];
  }
}
