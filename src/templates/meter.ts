/** Bounds what one rendering may cost, so that no template and no data can hold a worker or fill its memory. */
import { LimitError } from "./template-error.ts";

/** Limits of a rendering; what is left out has its default. */
export interface RenderLimits {
  /** Bytes of output, and UTF-16 units of any text made on the way (default 4 MiB). */
  readonly maxOutputBytes?: number;
  /** How deep `{{template}}` may call `{{template}}` (default 100; Go: 100,000). */
  readonly maxTemplateDepth?: number;
  /** Nodes executed, iterations, values printed, and a step for every 64 units of text handled (default 1,000,000). */
  readonly maxSteps?: number;
}

const DEFAULT_OUTPUT_BYTES = 4 * 1024 * 1024;
const DEFAULT_TEMPLATE_DEPTH = 100;
const DEFAULT_STEPS = 1_000_000;
/** Nesting of values that are printed, compared or encoded: no JSON of a request nests deeper. */
const MAX_VALUE_DEPTH = 1_000;

/** Counts down the steps of one rendering. */
export class Meter {
  readonly maxOutputBytes: number;
  readonly maxTemplateDepth: number;
  readonly maxSteps: number;
  #stepsLeft: number;

  constructor(limits: RenderLimits = {}) {
    this.maxOutputBytes = limits.maxOutputBytes ?? DEFAULT_OUTPUT_BYTES;
    this.maxTemplateDepth = limits.maxTemplateDepth ?? DEFAULT_TEMPLATE_DEPTH;
    this.maxSteps = limits.maxSteps ?? DEFAULT_STEPS;
    this.#stepsLeft = this.maxSteps;
  }

  /** How many steps may still be taken. */
  get stepsLeft(): number {
    return this.#stepsLeft;
  }

  /** @throws LimitError when `count` more steps are too many */
  steps(count: number): void {
    this.#stepsLeft -= count;
    if (this.#stepsLeft < 0) throw new LimitError("maxSteps", this.maxSteps);
  }

  /**
   * To be called before a text of `length` units is gone through.
   * @throws LimitError when the steps for it are used up
   */
  read(length: number): void {
    this.steps(1 + Math.floor(length / 64));
  }

  /**
   * To be called before a text of `length` units is made.
   * @throws LimitError when it is too long or the steps for it are used up
   */
  text(length: number): void {
    if (length > this.maxOutputBytes) throw new LimitError("maxOutputBytes", this.maxOutputBytes);
    this.read(length);
  }

  /** @throws LimitError when a value nests deeper than 1,000 */
  valueDepth(depth: number): void {
    if (depth > MAX_VALUE_DEPTH) throw new LimitError("maxValueDepth", MAX_VALUE_DEPTH);
  }
}
