/**
 * How many times more tokens an upstream model counts in a prompt than are estimated before the call, learned from what
 * it reports. In memory shared by all workers, by the name-table id of the upstream model.
 */

/** Ids that can be learned about; ids beyond are taken as estimated. Untouched memory costs nothing. */
const MAX_IDS = 1 << 20;
const LEAST_FACTOR = 0.25;
const GREATEST_FACTOR = 4;
/** In a shorter prompt it is the chat template that is measured. */
const MIN_TOKENS = 16;
/** A report further off than this is a broken one, or counts something else: it teaches nothing. */
const MAX_BELIEVED_RATIO = 16;
/** How far one report of a very long prompt moves the factor; one of HALF_WEIGHT_TOKENS moves it half as far. */
const GREATEST_WEIGHT = 0.3;
const HALF_WEIGHT_TOKENS = 100;

/** Shared memory of a `TokenCorrection`; hand it to other threads. */
export function createTokenCorrectionMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(MAX_IDS * Float64Array.BYTES_PER_ELEMENT);
}

/**
 * One thread's view of the factors. Without locks: of two reports at the same moment one may be lost, which another
 * report makes up for.
 */
export class TokenCorrection {
  /** 0 where nothing is known. */
  readonly #factors: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#factors = new Float64Array(memory);
  }

  /** By what an estimate for the upstream model `id` is to be multiplied: 0.25 to 4, and 1 when nothing is known. */
  factor(id: number): number {
    return this.#factors[id] || 1;
  }

  /**
   * Learns from one complete report: a moving average in which long prompts weigh more.
   * @param estimated tokens as estimated, without the factor
   * @param reported tokens as the upstream counted them; what cannot be true is ignored
   */
  learn(id: number, estimated: number, reported: number): void {
    if (!(estimated >= MIN_TOKENS) || !Number.isSafeInteger(reported) || !(id >= 0 && id < MAX_IDS)) {
      return;
    }
    const ratio = reported / estimated;
    if (ratio > MAX_BELIEVED_RATIO || ratio < 1 / MAX_BELIEVED_RATIO) {
      return;
    }
    const weight = (GREATEST_WEIGHT * estimated) / (estimated + HALF_WEIGHT_TOKENS);
    const before = this.factor(id);
    this.#factors[id] = clamp(before + weight * (clamp(ratio) - before));
  }
}

function clamp(factor: number): number {
  return Math.min(GREATEST_FACTOR, Math.max(LEAST_FACTOR, factor));
}
