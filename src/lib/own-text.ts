/**
 * The same text in memory of its own. A part of a string keeps all of it alive: what is remembered of a request would keep
 * the whole of its head.
 */
export function ownText(text: string): string {
  return Buffer.from(text).toString();
}
