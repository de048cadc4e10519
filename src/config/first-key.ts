/** The key of a start without configuration: made at the first start, shown once, known by its hash ever after. */
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { SluiceError } from "../lib/errors.ts";
import { newKey } from "./keys.ts";

const FILE_NAME = "first-key.json";

const fileSchema = z.object({ hash: z.string().regex(/^sha256:[0-9a-f]{64}$/) });

/** The first key. */
export interface FirstKey {
  /** SHA-256, 64 hexadecimal digits. */
  readonly hash: string;
  /** The key in plain text, only if it was made just now: this is the one chance to show it. */
  readonly created?: string;
}

/**
 * The key stored in `dataDirectory`, made if there is none. Of several processes that start at once exactly one makes it.
 * @throws SluiceError `invalid_configuration` if the directory cannot be written or the file is not what it should be
 */
export function ensureFirstKey(dataDirectory: string): FirstKey {
  const path = join(dataDirectory, FILE_NAME);
  try {
    return readFirstKey(path) ?? createFirstKey(dataDirectory, path) ?? missingAgain(path);
  } catch (error) {
    if (error instanceof SluiceError) {
      throw error;
    }
    throw new SluiceError(
      "invalid_configuration",
      `The first key cannot be kept in ${path}. Make ${dataDirectory} writable.`,
      {
        cause: error,
      },
    );
  }
}

function readFirstKey(path: string): FirstKey | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (isCode(error, "ENOENT")) {
      return undefined;
    }
    throw error;
  }
  const parsed = fileSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new SluiceError(
      "invalid_configuration",
      `${path} does not hold a key's hash. Delete it to get a new first key.`,
    );
  }
  return { hash: parsed.data.hash.slice("sha256:".length) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @returns undefined if another process made it meanwhile, and it is to be read */
function createFirstKey(directory: string, path: string): FirstKey | undefined {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { key, hash } = newKey();
  const temporary = `${path}.${process.pid}.${randomBytes(6).toString("hex")}`;
  const descriptor = openSync(temporary, "wx", 0o600);
  try {
    writeSync(descriptor, `${JSON.stringify({ hash: `sha256:${hash}`, createdAt: new Date().toISOString() })}\n`);
    fsyncSync(descriptor);
    // A link, unlike a rename, fails if the name is taken: whoever comes second reads the first one's key.
    linkSync(temporary, path);
    return { hash, created: key };
  } catch (error) {
    if (isCode(error, "EEXIST")) {
      return readFirstKey(path);
    }
    throw error;
  } finally {
    closeSync(descriptor);
    rmSync(temporary, { force: true });
  }
}

function missingAgain(path: string): never {
  throw new SluiceError("invalid_configuration", `${path} was removed while it was read. Start again.`);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
