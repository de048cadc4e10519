/** How one text becomes another, line by line. */
import { diff } from "node:util";

/** Unchanged lines that are shown around a change. */
const CONTEXT = 3;

/** Lines with `-`, `+` or a space before them, and `…` for unchanged ones that are left out; "" if nothing changed. */
export function lineDiff(from: string, to: string): string {
  // Node calls what is only in the first text 1, and what is only in the second -1
  const lines = diff(from.split("\n"), to.split("\n")).map(
    ([side, text]) => [side === 1 ? "-" : side === -1 ? "+" : " ", text] as const,
  );
  const changed = lines.flatMap(([mark], index) => (mark === " " ? [] : index));
  const shown = new Set(
    changed.flatMap((index) => Array.from({ length: 2 * CONTEXT + 1 }, (_, offset) => index - CONTEXT + offset)),
  );
  let isGap = false;
  let text = "";
  for (const [index, [mark, line]] of lines.entries()) {
    if (shown.has(index)) {
      text += `${mark} ${line}`.trimEnd() + "\n";
    } else if (!isGap && changed.length > 0) {
      text += "…\n";
    }
    isGap = !shown.has(index);
  }
  return text;
}
