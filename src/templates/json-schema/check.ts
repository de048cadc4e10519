/** What checks of values are made of, and what one of them finds. */
import type { StepBudget } from "../../lib/linear-pattern.ts";
import type { ExactJson } from "../../lib/json.ts";

/** Where a value lies in what is checked; undefined: it is the whole. */
export type Place = { readonly parent: Place; readonly key: string | number } | undefined;

/** What is wrong, and where. */
export interface Mistake {
  readonly place: Place;
  readonly message: string;
}

/** Whether a value satisfies a schema; what does not is told to the run. */
export type Check = (value: ExactJson, place: Place, run: Run) => boolean;

/** Mistakes that are kept; the rest is counted. */
const MAX_KEPT = 5;
/** About 100 ns each: schemas, and values, names and texts that they look at. */
const MAX_STEPS = 1_000_000;
const TEXT_PER_STEP = 64;
/** About 35 ms at most; a usual pattern takes 2 to 12 steps a character. */
const MAX_PATTERN_STEPS = 1_500_000;

/** A value that takes too long to check. */
export class TooMuchWork extends Error {
  override readonly name = "TooMuchWork";
}

/** One check of one value. */
export class Run {
  #mistakes: Mistake[] = [];
  #count = 0;
  #stepsLeft = MAX_STEPS;
  /** What matching with patterns may still cost. */
  readonly patternSteps: StepBudget = { left: MAX_PATTERN_STEPS };

  /** The first mistakes. */
  get mistakes(): readonly Mistake[] {
    return this.#mistakes;
  }

  /** How many mistakes were found in all. */
  get count(): number {
    return this.#count;
  }

  /** @throws TooMuchWork when so many steps more are too many */
  steps(count: number): void {
    this.#stepsLeft -= count;
    if (this.#stepsLeft < 0) {
      throw new TooMuchWork();
    }
  }

  /** To be called before a text is gone through. @throws TooMuchWork */
  reads(text: string): void {
    this.steps(1 + Math.floor(text.length / TEXT_PER_STEP));
  }

  /** Notes a mistake. */
  fail(place: Place, message: string): false {
    this.#count += 1;
    if (this.#mistakes.length < MAX_KEPT) {
      this.#mistakes.push({ place, message });
    }
    return false;
  }

  /** What is first wrong by a check that may fail; undefined if nothing is. None of it is noted. */
  tries(check: Check, value: ExactJson, place: Place): string | undefined {
    const [mistakes, count] = [this.#mistakes, this.#count];
    this.#mistakes = [];
    const isGood = check(value, place, this);
    const [first] = this.#mistakes;
    this.#mistakes = mistakes;
    this.#count = count;
    return isGood ? undefined : (first?.message ?? "");
  }
}

/** All of these; every mistake is noted. */
export function allOf(checks: readonly Check[]): Check {
  const [only] = checks;
  if (checks.length === 1) {
    return only!;
  }
  return (value, place, run) => {
    let isGood = true;
    for (const check of checks) {
      isGood = check(value, place, run) && isGood;
    }
    return isGood;
  };
}
