/**
 * Regular expressions whose matching takes a bounded number of steps, whatever the text: all ways through the pattern
 * are followed at once (Thompson's construction), so there is nothing to go back to. It only says whether a text matches.
 */
import { parsePattern, type Assertion, type PatternNode } from "./pattern-syntax.ts";

/** What matching may still cost, in steps of some 10 ns; shared by all that use it. */
export interface StepBudget {
  left: number;
}

/** The budget is used up. */
export class StepsExceededError extends Error {
  override readonly name = "StepsExceededError";
}

/** Instructions of a program: repetitions are written out. */
const MAX_INSTRUCTIONS = 25_000;
/** Steps that a look at a character beyond ASCII takes. */
const SLOW_STEPS = 5;

type Instruction =
  | { readonly op: "character"; readonly set: CharacterSet; readonly next: number }
  | { readonly op: "assertion"; readonly assertion: Assertion; readonly next: number }
  | { readonly op: "either"; readonly one: number; readonly other: number }
  | { readonly op: "end" };

/** A compiled pattern. */
export class LinearPattern {
  readonly #program: readonly Instruction[];
  readonly #start: number;
  /** It can only match from the beginning of a text. */
  readonly #isAnchored: boolean;
  /** The round in which an instruction was last reached. */
  readonly #reached: Float64Array;
  #round = 0;

  /**
   * @param source in JavaScript's syntax, with Unicode's meaning where both are possible
   * @throws Error that says what of it cannot be used
   */
  constructor(source: string) {
    const tree = parsePattern(source);
    const compiler = new Compiler();
    this.#start = compiler.compile(tree);
    this.#program = compiler.program;
    this.#isAnchored = isAnchored(tree);
    this.#reached = new Float64Array(this.#program.length);
  }

  /** Whether it is found anywhere in the text. @throws StepsExceededError */
  test(text: string, budget: StepBudget): boolean {
    let states = [this.#start];
    let before = -1;
    for (let at = 0; ;) {
      const character = text.codePointAt(at) ?? -1;
      const waiting = this.#follow(states, before, character, budget);
      if (waiting === undefined) {
        return true;
      }
      if (character < 0) {
        return false;
      }
      states = [];
      for (const { set, next } of waiting) {
        if (set.has(character)) {
          states.push(next);
        }
      }
      budget.left -= waiting.length * (character < 128 ? 1 : SLOW_STEPS);
      if (!this.#isAnchored) {
        states.push(this.#start);
      } else if (states.length === 0) {
        return false;
      }
      before = character;
      at += character > 0xffff ? 2 : 1;
    }
  }

  /** From these instructions to all that wait for a character; undefined if the end is among them. */
  #follow(
    states: number[],
    before: number,
    after: number,
    budget: StepBudget,
  ): Extract<Instruction, { op: "character" }>[] | undefined {
    const waiting: Extract<Instruction, { op: "character" }>[] = [];
    const round = (this.#round += 1);
    for (let index = states.pop(); index !== undefined; index = states.pop()) {
      if (this.#reached[index] === round) {
        continue;
      }
      this.#reached[index] = round;
      budget.left -= 1;
      const instruction = this.#program[index]!;
      switch (instruction.op) {
        case "character":
          waiting.push(instruction);
          break;
        case "assertion":
          if (holds(instruction.assertion, before, after)) states.push(instruction.next);
          break;
        case "either":
          states.push(instruction.one, instruction.other);
          break;
        case "end":
          return undefined;
      }
    }
    if (budget.left < 0) {
      throw new StepsExceededError();
    }
    return waiting;
  }
}

/** Writes a program from its end to its beginning: each part is told where to go on. */
class Compiler {
  readonly program: Instruction[] = [];
  readonly #sets = new Map<string, CharacterSet>();

  compile(tree: PatternNode): number {
    return this.#node(tree, this.#add({ op: "end" }));
  }

  #node(node: PatternNode, next: number): number {
    switch (node.kind) {
      case "character":
        return this.#add({ op: "character", set: this.#set(node.atom), next });
      case "assertion":
        return this.#add({ op: "assertion", assertion: node.assertion, next });
      case "sequence":
        return node.items.reduceRight((following, item) => this.#node(item, following), next);
      case "choice":
        return node.items
          .map((item) => this.#node(item, next))
          .reduceRight((other, one) => this.#add({ op: "either", one, other }));
      case "repeat":
        return this.#repeat(node, next);
    }
  }

  #repeat({ item, min, max }: Extract<PatternNode, { kind: "repeat" }>, next: number): number {
    let entry = next;
    if (max === Infinity) {
      const loop = this.#add({ op: "either", one: next, other: next });
      const body = this.#node(item, loop);
      this.program[loop] = { op: "either", one: body, other: next };
      entry = loop;
    } else {
      for (let count = min; count < max; count++) {
        entry = this.#add({ op: "either", one: this.#node(item, entry), other: next });
      }
    }
    for (let count = 0; count < min; count++) {
      const following = entry;
      entry = this.#node(item, following);
      if (entry === following) {
        break; // it is empty, and may be repeated a billion times
      }
    }
    return entry;
  }

  #add(instruction: Instruction): number {
    if (this.program.length >= MAX_INSTRUCTIONS) {
      throw new Error(`it is too large: its repetitions, written out, have more than ${MAX_INSTRUCTIONS} parts`);
    }
    return this.program.push(instruction) - 1;
  }

  #set(atom: string): CharacterSet {
    const known = this.#sets.get(atom) ?? new CharacterSet(atom);
    this.#sets.set(atom, known);
    return known;
  }
}

/** The characters that an atom takes. */
class CharacterSet {
  readonly #native: RegExp;
  /** For ASCII: 0 not looked at yet, 1 in it, 2 not in it. */
  readonly #known = new Uint8Array(128);

  constructor(atom: string) {
    this.#native = nativePattern(`^(?:${atom})$`);
  }

  has(character: number): boolean {
    const known = this.#known[character];
    if (known !== undefined && known !== 0) {
      return known === 1;
    }
    const isIn = this.#native.test(String.fromCodePoint(character));
    if (character < 128) {
      this.#known[character] = isIn ? 1 : 2;
    }
    return isIn;
  }
}

/** In Unicode's mode where that is possible: it takes no needless escapes, and JSON Schemas have those. */
function nativePattern(source: string): RegExp {
  try {
    return new RegExp(source, "u");
  } catch {
    return new RegExp(source);
  }
}

function isAnchored(node: PatternNode): boolean {
  switch (node.kind) {
    case "character":
      return false;
    case "assertion":
      return node.assertion === "start";
    case "sequence":
      return node.items[0] !== undefined && isAnchored(node.items[0]);
    case "choice":
      return node.items.every(isAnchored);
    case "repeat":
      return node.min > 0 && isAnchored(node.item);
  }
}

/** @param before and after the characters on both sides; -1 where there is none */
function holds(assertion: Assertion, before: number, after: number): boolean {
  switch (assertion) {
    case "start":
      return before < 0;
    case "end":
      return after < 0;
    case "boundary":
      return isWord(before) !== isWord(after);
    case "noBoundary":
      return isWord(before) === isWord(after);
  }
}

/** `\w`: letters and digits of ASCII, and the underscore. */
function isWord(character: number): boolean {
  return (
    (character >= 48 && character <= 57) ||
    (character >= 65 && character <= 90) ||
    (character >= 97 && character <= 122) ||
    character === 95
  );
}
