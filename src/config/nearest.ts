/** The nearest of several words, for "did you mean". */

/** Words longer than this are not compared: the comparison costs the product of the lengths. */
const MAX_LENGTH = 128;

/**
 * Edit distance with neighbouring letters swapped counted as one edit (optimal string alignment), or `limit + 1` once
 * it is certain to exceed `limit`.
 */
function distance(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) > limit) {
    return limit + 1;
  }
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const current = [i];
    let best = i;
    for (let j = 1; j <= right.length; j++) {
      const cost = left[i - 1] === right[j - 1] ? 0 : 1;
      let value = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + cost);
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1]) {
        value = Math.min(value, beforePrevious[j - 2]! + 1);
      }
      current.push(value);
      best = Math.min(best, value);
    }
    if (best > limit) {
      return limit + 1;
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[right.length]!;
}

/** The candidate that `word` is most likely a slip of, or undefined if none is near. Case does not count. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > MAX_LENGTH) {
    return undefined;
  }
  const lower = word.toLowerCase();
  let limit = Math.max(1, Math.floor(word.length / 3));
  let found: string | undefined;
  for (const candidate of candidates) {
    const edits = distance(lower, candidate.toLowerCase(), limit);
    if (edits <= limit && (found === undefined || edits < limit)) {
      found = candidate;
      limit = edits;
    }
  }
  return found;
}

/** `Did you mean "openai"?`, or `otherwise` if nothing is near. */
export function didYouMean(word: string, candidates: Iterable<string>, otherwise: string): string {
  const found = nearest(word, candidates);
  return found === undefined ? otherwise : `Did you mean "${found}"?`;
}
