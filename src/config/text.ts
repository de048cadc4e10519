/** Reads configuration files as text, with limits, and says what to do when that fails. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { digestOf, MISSING } from "./loaded-file.ts";

/** The largest configuration file. 10,000 routes, models and targets take 2 MiB. */
export const MAX_CONFIG_BYTES = 16 * 1024 * 1024;
/** The largest file that `${file:…}` names: certificates and keys, not data. */
export const MAX_SECRET_BYTES = 1024 * 1024;

const CHUNK_BYTES = 256 * 1024;

/** Why a file could not be read as text. */
export class UnreadableFileError extends Error {
  override readonly name = "UnreadableFileError";
  readonly remedy: string;
  /** Of what was there, as far as it is known. */
  readonly digest: string | undefined;

  constructor(message: string, remedy: string, digest?: string) {
    super(message);
    this.remedy = remedy;
    this.digest = digest;
  }
}

/** The text of a file, and the digest of its bytes. */
export interface FileText {
  readonly text: string;
  readonly digest: string;
}

/** @throws UnreadableFileError */
export function readConfigText(path: string): FileText {
  return decode(readBytes(path, MAX_CONFIG_BYTES));
}

/**
 * A file that holds one secret; the newline that editors and shells leave at its end is not part of it.
 * @throws UnreadableFileError
 */
export function readSecretText(path: string): FileText {
  let isFile: boolean;
  try {
    isFile = statSync(path).isFile();
  } catch (error) {
    throw explain(error);
  }
  if (!isFile) {
    throw new UnreadableFileError("is not a regular file", "Name a file.");
  }
  const { text, digest } = decode(readBytes(path, MAX_SECRET_BYTES));
  return { text: text.replace(/[\r\n]+$/, ""), digest };
}

/** Reads with a limit rather than by size, so pipes work and endless devices end. */
function readBytes(path: string, maxBytes: number): Buffer {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    const chunks: Buffer[] = [];
    let length = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const count = readSync(descriptor, chunk, 0, CHUNK_BYTES, null);
      if (count === 0) {
        return Buffer.concat(chunks, length);
      }
      length += count;
      if (length > maxBytes) {
        throw new UnreadableFileError(
          `is larger than ${maxBytes / (1024 * 1024)} MiB`,
          "Check that this is the file you meant.",
        );
      }
      chunks.push(chunk.subarray(0, count));
    }
  } catch (error) {
    throw error instanceof UnreadableFileError ? error : explain(error);
  } finally {
    if (descriptor !== undefined) {
      closeSync(descriptor);
    }
  }
}

function explain(error: unknown): UnreadableFileError {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return new UnreadableFileError("does not exist", "Check the path.", MISSING);
    case "EACCES":
    case "EPERM":
      return new UnreadableFileError("may not be read", "Give the user that runs sluice read permission.");
    case "EISDIR":
      return new UnreadableFileError("is a directory", "Name a file.");
    default:
      return new UnreadableFileError(`cannot be read (${String(code)})`, "");
  }
}

/** UTF-8 with or without a byte order mark. */
function decode(bytes: Buffer): FileText {
  const digest = digestOf(bytes);
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw new UnreadableFileError("is UTF-16", "Save it as UTF-8.", digest);
  }
  if (bytes.includes(0)) {
    throw new UnreadableFileError("is binary, not text", "Check that this is the file you meant.", digest);
  }
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), digest };
  } catch {
    throw new UnreadableFileError("is not UTF-8 text", "Save it as UTF-8.", digest);
  }
}
