/** What is wrong with a configuration, and where: every problem names file, line, path, reason and remedy. */
import { SluiceError } from "../lib/errors.ts";
import type { LoadedFile } from "./loaded-file.ts";

/** Problems that one error reports; the rest is counted. */
export const MAX_REPORTED_PROBLEMS = 20;

/** A place in a document: keys and indices from the root. */
export type DocumentPath = readonly (string | number)[];

/** A position in a text, both counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One thing that is wrong (or, in a warning, doubtful). */
export interface ConfigProblem extends Position {
  readonly file: string;
  /** `models[0].targets[1].provider`; "" for the document as a whole. */
  readonly path: string;
  readonly message: string;
  /** What to do about it; "" if the message says it. */
  readonly remedy: string;
}

/** `models[0].targets[1].provider`; keys that are no plain words are quoted. */
export function formatPath(path: DocumentPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") {
      text += `[${step}]`;
    } else if (/^[A-Za-z_][\w-]*$/.test(step)) {
      text += text === "" ? step : `.${step}`;
    } else {
      text += `[${JSON.stringify(step)}]`;
    }
  }
  return text;
}

/** `sluice.yaml:12:7: models[0].targets[1].provider: there is no provider "opnai". Did you mean "openai"?` */
export function formatProblem(problem: ConfigProblem): string {
  const place = `${problem.file}:${problem.line}:${problem.column}: `;
  const path = problem.path === "" ? "" : `${problem.path}: `;
  return `${place}${path}${problem.message}.${problem.remedy === "" ? "" : ` ${problem.remedy}`}`;
}

/** A configuration that cannot run. The message is the problems, one a line. */
export class ConfigError extends SluiceError {
  /** At most MAX_REPORTED_PROBLEMS, in the order of the file. */
  readonly problems: readonly ConfigProblem[];
  /** How many there are in all. */
  readonly total: number;
  /** Files that were read or missed, the configuration first: a change in one of them may be the cure. */
  readonly files: readonly LoadedFile[];

  /** @param problems all of them, in the order of the file */
  constructor(problems: readonly ConfigProblem[], files: readonly LoadedFile[]) {
    const reported = problems.slice(0, MAX_REPORTED_PROBLEMS);
    const more = problems.length - reported.length;
    const lines = reported.map(formatProblem);
    if (more > 0) {
      lines.push(`… and ${more} more`);
    }
    super("invalid_configuration", lines.join("\n"));
    this.problems = reported;
    this.total = problems.length;
    this.files = files;
  }
}
