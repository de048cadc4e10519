import { HASH_WORDS } from "./table.ts";

/** A SHA-256 as the words that the table works with. Reused: holds the last value that was put in. */
export class HashWords {
  readonly words = new Int32Array(HASH_WORDS);
  readonly #bytes = new Uint8Array(this.words.buffer);

  /** Takes a digest of 32 bytes. @throws RangeError if it is longer. */
  fromDigest(digest: Uint8Array): Int32Array {
    this.#bytes.set(digest);
    return this.words;
  }

  /** Takes a digest of 32 characters, one a byte. */
  fromLatin1(digest: string): Int32Array {
    for (let index = 0; index < 32; index++) {
      this.#bytes[index] = digest.charCodeAt(index);
    }
    return this.words;
  }

  /** Takes 64 hex digits. @throws RangeError if it is anything else. */
  fromHex(hex: string): Int32Array {
    let invalid = hex.length === 64 ? 0 : -1;
    for (let index = 0; index < 32; index++) {
      const high = hexDigit(hex.charCodeAt(index * 2));
      const low = hexDigit(hex.charCodeAt(index * 2 + 1));
      invalid |= high | low;
      this.#bytes[index] = (high << 4) | low;
    }
    if (invalid < 0) throw new RangeError("the hash of an API key must be 64 hex digits");
    return this.words;
  }
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
