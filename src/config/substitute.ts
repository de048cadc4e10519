/**
 * `${NAME}`, `${NAME:-default}` and `${file:path}` in strings, so that secrets need not be in the file. What is put in
 * is text and nothing else: it is not substituted again and never read as YAML. `$${` stands for `${`.
 */
import { isAbsolute, resolve } from "node:path";
import type { LoadedFile } from "./loaded-file.ts";
import { readSecretText, UnreadableFileError } from "./text.ts";

/** Different `${file:…}` of one configuration. */
const MAX_FILES = 10_000;

/** A substitution that cannot be made. The message names the variable or file, never a value. */
export class SubstitutionError extends Error {
  override readonly name = "SubstitutionError";
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}

/** What `${…}` may refer to. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Substitutes for one load; each file is read once and remembered. */
export class Substitutor {
  readonly #environment: Environment;
  readonly #directory: string;
  readonly #files = new Map<string, SubstitutedFile>();

  /** @param directory where relative paths start: the directory of the configuration file */
  constructor(environment: Environment, directory: string) {
    this.#environment = environment;
    this.#directory = directory;
  }

  /** All files that were asked for, missing ones too. */
  get files(): readonly LoadedFile[] {
    return this.#files
      .entries()
      .map(([path, { digest }]) => ({ path, digest }))
      .toArray();
  }

  /**
   * @returns the same string if there is nothing to substitute
   * @throws SubstitutionError
   */
  apply(text: string): string {
    let at = text.indexOf("${");
    if (at < 0) {
      return text;
    }
    let result = "";
    let from = 0;
    while (at >= 0) {
      if (text[at - 1] === "$" && at - 1 >= from) {
        result += `${text.slice(from, at - 1)}\${`;
        from = at + 2;
      } else {
        const end = text.indexOf("}", at);
        if (end < 0) {
          throw new SubstitutionError("has `${` without `}`", "Close it, or write `$${` for a plain `${`.");
        }
        result += text.slice(from, at) + this.#resolve(text.slice(at + 2, end));
        from = end + 1;
      }
      at = text.indexOf("${", from);
    }
    return result + text.slice(from);
  }

  /**
   * Substitutes in every string within plain data, in place: nothing in it may be there twice.
   * @throws SubstitutionError
   */
  applyWithin(data: object): void {
    for (const [key, value] of Object.entries(data) as [string, unknown][]) {
      if (typeof value === "string") {
        if (value.includes("${")) {
          Reflect.set(data, key, this.apply(value));
        }
      } else if (typeof value === "object" && value !== null) {
        this.applyWithin(value);
      }
    }
  }

  #resolve(expression: string): string {
    if (expression.startsWith("file:")) {
      return this.readFile(expression.slice("file:".length));
    }
    const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(expression);
    if (match === null) {
      throw new SubstitutionError(
        "has a `${…}` that is none of ${NAME}, ${NAME:-default} and ${file:path}",
        "Write `$${` for a plain `${`.",
      );
    }
    const [, name = "", fallback] = match;
    const value = Object.hasOwn(this.#environment, name) ? this.#environment[name] : undefined;
    if (fallback !== undefined) {
      return value === undefined || value === "" ? fallback : value;
    }
    if (value === undefined) {
      throw new SubstitutionError(
        `needs the environment variable ${name}, which is not set`,
        `Set it, or give a default: \${${name}:-…}.`,
      );
    }
    return value;
  }

  /**
   * The text of a file, relative to the configuration, without the newline at its end.
   * @throws SubstitutionError
   */
  readFile(path: string): string {
    const absolute = isAbsolute(path) ? path : resolve(this.#directory, path);
    let found = this.#files.get(absolute);
    if (found === undefined) {
      if (this.#files.size >= MAX_FILES) {
        throw new SubstitutionError(`names more than ${MAX_FILES} different files`, "Use environment variables.");
      }
      found = readFile(path, absolute);
      this.#files.set(absolute, found);
    }
    if (found.content instanceof SubstitutionError) {
      throw found.content;
    }
    return found.content;
  }
}

interface SubstitutedFile {
  readonly content: string | SubstitutionError;
  readonly digest: string | undefined;
}

function readFile(path: string, absolute: string): SubstitutedFile {
  try {
    const { text, digest } = readSecretText(absolute);
    return { content: text, digest };
  } catch (error) {
    if (error instanceof UnreadableFileError) {
      const content = new SubstitutionError(`needs the file ${path}, which ${error.message}`, error.remedy);
      return { content, digest: error.digest };
    }
    throw error;
  }
}
