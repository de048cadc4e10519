/** HTTP/1.1 chunked transfer coding (RFC 9112, section 7.1), written by us where node:http is not. */

/** Ends a chunked body that has no trailers. */
export const LAST_CHUNK: Buffer = Buffer.from("0\r\n\r\n");

/** `payload` as one chunk, in one allocation. Empty for an empty payload: an empty chunk would end the body. */
export function frameChunk(payload: Buffer): Buffer {
  const { length } = payload;
  if (length === 0) return payload;
  let digits = 1;
  for (let rest = length >>> 4; rest > 0; rest >>>= 4) digits++;
  const framed = Buffer.allocUnsafe(length + digits + 4);
  for (let at = digits - 1, rest = length; at >= 0; at--, rest >>>= 4) {
    const digit = rest & 15;
    framed[at] = digit < 10 ? 48 + digit : 87 + digit;
  }
  framed[digits] = 13;
  framed[digits + 1] = 10;
  framed.set(payload, digits + 2);
  framed[length + digits + 2] = 13;
  framed[length + digits + 3] = 10;
  return framed;
}
