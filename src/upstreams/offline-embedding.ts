/** The embedding that the built-in test model gives a text. */
import { createHash } from "node:crypto";

/**
 * A unit vector made of the text's hash: the same text has the same one everywhere.
 * The platforms that run Node are little-endian, as base64 vectors are.
 */
export function embedOffline(text: string, dimensions: number): Float32Array<ArrayBuffer> {
  const bytes = createHash("shake256", { outputLength: dimensions * 2 })
    .update(text)
    .digest();
  const vector = Float32Array.from({ length: dimensions }, (_, index) => bytes.readInt16LE(index * 2));
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}
