/** Where in a source something lies, as Go counts. */

/** Bytes from the start of the line to `at`, and the line, from 1. */
export function locate(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: Buffer.byteLength(before.slice(lineStart)) };
}
