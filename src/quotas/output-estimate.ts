/**
 * How many tokens answers usually have: a running 90th percentile, for limits in soft mode, which reserve what a request
 * is likely to need instead of all that it might.
 */

/** Answers are counted in classes, four a doubling: the estimate is at most 19 % too high. */
const CLASSES_PER_DOUBLING = 4;
const CLASSES = 20 * CLASSES_PER_DOUBLING;
const SHARE = 0.9;
/** What was seen long ago counts less: half after about 700 answers. */
const DECAY = 0.999;
/** Before so many answers were seen, nothing is known. */
const MIN_SEEN = 10;

/** The answers of one caller to one model, as one worker sees them. */
export class OutputEstimate {
  readonly #counts = new Float64Array(CLASSES);
  #total = 0;

  /** The length that nine in ten answers do not exceed; undefined before enough was seen. */
  get p90(): number | undefined {
    if (this.#total < MIN_SEEN) {
      return undefined;
    }
    const enough = this.#total * SHARE;
    let sum = 0;
    for (let index = 0; index < CLASSES; index++) {
      sum += this.#counts[index]!;
      if (sum >= enough) {
        return upperEdge(index);
      }
    }
    return upperEdge(CLASSES - 1);
  }

  /** @param tokens of an answer that is complete */
  learn(tokens: number): void {
    if (!(tokens >= 0)) {
      return;
    }
    for (let index = 0; index < CLASSES; index++) {
      this.#counts[index]! *= DECAY;
    }
    const place = Math.ceil(Math.log2(Math.max(1, tokens)) * CLASSES_PER_DOUBLING);
    this.#counts[Math.min(CLASSES - 1, place)]! += 1;
    this.#total = this.#total * DECAY + 1;
  }
}

function upperEdge(index: number): number {
  return Math.ceil(2 ** (index / CLASSES_PER_DOUBLING));
}
