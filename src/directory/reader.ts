import { HashWords } from "./hash.ts";
import { DirectoryTable } from "./table.ts";
import type { DirectoryHandle } from "./table.ts";

/**
 * Looks API keys up in the directory that the main thread writes. A record number is good for reading its fields in
 * the same tick; do not keep it.
 */
export class DirectoryReader {
  readonly #hash = new HashWords();
  #table: DirectoryTable;
  #generation: number;

  constructor(handle: DirectoryHandle) {
    this.#table = new DirectoryTable(handle.buffer);
    this.#generation = handle.generation;
  }

  /** Goes over to a newer buffer; an older one is ignored. */
  attach(handle: DirectoryHandle): void {
    if (handle.generation <= this.#generation) return;
    this.#table = new DirectoryTable(handle.buffer);
    this.#generation = handle.generation;
  }

  /** The record of the key with this SHA-256 (32 bytes), or -1 if there is none. Expiry is the caller's to check. */
  lookup(digest: Uint8Array): number {
    return this.#table.lookup(this.#hash.fromDigest(digest));
  }

  /** The same for a digest as a latin1 string, which `crypto.hash` makes three times as fast as a buffer. */
  lookupLatin1(digest: string): number {
    return this.#table.lookup(this.#hash.fromLatin1(digest));
  }

  /** Number of the consumer that owns the key. */
  consumer(record: number): number {
    return this.#table.consumer(record);
  }

  /** Number (name id) of the key's name. */
  keyId(record: number): number {
    return this.#table.keyId(record);
  }

  /** Number (name id) of the policy that applies. */
  policy(record: number): number {
    return this.#table.policy(record);
  }

  /** Milliseconds since the epoch; 0: never. */
  expiresAt(record: number): number {
    return this.#table.expiresAt(record);
  }
}
