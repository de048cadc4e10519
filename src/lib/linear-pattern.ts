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

// Kinds of instructions; what their two operands are.
/** A set of characters by its number; where to go on. */
const CHARACTER = 0;
/** An assertion by its number; where to go on. */
const ASSERTION = 1;
/** Both ways to go on. */
const EITHER = 2;
const END = 3;

const ASSERTIONS: readonly Assertion[] = ["start", "end", "boundary", "noBoundary"];

/** A compiled pattern. */
export class LinearPattern {
  readonly #kinds: Uint8Array;
  readonly #first: Int32Array;
  readonly #second: Int32Array;
  readonly #sets: readonly CharacterSet[];
  readonly #start: number;
  /** It can only match from the beginning of a text. */
  readonly #isAnchored: boolean;
  /** The round in which an instruction was last reached. */
  readonly #reached: Float64Array;
  #round = 0;
  /** Instructions that are still to be followed, and those that wait for a character. */
  readonly #open: Int32Array;
  readonly #waiting: Int32Array;

  /**
   * @param source in JavaScript's syntax, with Unicode's meaning where both are possible
   * @throws Error that says what of it cannot be used
   */
  constructor(source: string) {
    const tree = parsePattern(source);
    const compiler = new Compiler();
    this.#start = compiler.compile(tree);
    this.#isAnchored = isAnchored(tree);
    this.#kinds = Uint8Array.from(compiler.kinds);
    this.#first = Int32Array.from(compiler.first);
    this.#second = Int32Array.from(compiler.second);
    this.#sets = compiler.sets;
    const size = this.#kinds.length;
    this.#reached = new Float64Array(size);
    this.#waiting = new Int32Array(size);
    // each instruction opens two at most, and each that waited opens one
    this.#open = new Int32Array(3 * size + 1);
  }

  /** Whether it is found anywhere in the text. @throws StepsExceededError */
  test(text: string, budget: StepBudget): boolean {
    const open = this.#open;
    open[0] = this.#start;
    let openCount = 1;
    let before = -1;
    for (let at = 0; ;) {
      const character = text.codePointAt(at) ?? -1;
      const waitingCount = this.#follow(openCount, before, character, budget);
      if (waitingCount < 0) {
        return true;
      }
      if (character < 0) {
        return false;
      }
      openCount = this.#step(waitingCount, character);
      budget.left -= character < 128 ? waitingCount : waitingCount * SLOW_STEPS;
      if (!this.#isAnchored) {
        open[openCount++] = this.#start;
      } else if (openCount === 0) {
        return false;
      }
      before = character;
      at += character > 0xffff ? 2 : 1;
    }
  }

  /** Opens what comes behind the character. @returns how many these are */
  #step(waitingCount: number, character: number): number {
    let openCount = 0;
    for (let index = 0; index < waitingCount; index++) {
      const instruction = this.#waiting[index]!;
      if (this.#sets[this.#first[instruction]!]!.has(character)) {
        this.#open[openCount++] = this.#second[instruction]!;
      }
    }
    return openCount;
  }

  /** From what is open to all that waits for a character. @returns how many these are; -1 if the end is among them */
  #follow(openCount: number, before: number, after: number, budget: StepBudget): number {
    const [open, waiting, reached, kinds] = [this.#open, this.#waiting, this.#reached, this.#kinds];
    const [first, second] = [this.#first, this.#second];
    const round = (this.#round += 1);
    let waitingCount = 0;
    let steps = 0;
    for (let count = openCount; count > 0;) {
      const instruction = open[--count]!;
      if (reached[instruction] === round) {
        continue;
      }
      reached[instruction] = round;
      steps += 1;
      switch (kinds[instruction]) {
        case CHARACTER:
          waiting[waitingCount++] = instruction;
          break;
        case ASSERTION:
          if (holds(ASSERTIONS[first[instruction]!]!, before, after)) open[count++] = second[instruction]!;
          break;
        case EITHER:
          open[count++] = second[instruction]!;
          open[count++] = first[instruction]!;
          break;
        default:
          return -1;
      }
    }
    budget.left -= steps;
    if (budget.left < 0) {
      throw new StepsExceededError();
    }
    return waitingCount;
  }
}

/** Writes a program from its end to its beginning: each part is told where to go on. */
class Compiler {
  readonly kinds: number[] = [];
  readonly first: number[] = [];
  readonly second: number[] = [];
  readonly sets: CharacterSet[] = [];
  readonly #setNumbers = new Map<string, number>();

  /** @returns where the program begins */
  compile(tree: PatternNode): number {
    return this.#node(tree, this.#add(END, 0, 0));
  }

  #node(node: PatternNode, next: number): number {
    switch (node.kind) {
      case "character":
        return this.#add(CHARACTER, this.#set(node.atom), next);
      case "assertion":
        return this.#add(ASSERTION, ASSERTIONS.indexOf(node.assertion), next);
      case "sequence":
        return node.items.reduceRight((following, item) => this.#node(item, following), next);
      case "choice":
        return node.items
          .map((item) => this.#node(item, next))
          .reduceRight((other, one) => this.#add(EITHER, one, other));
      case "repeat":
        return this.#repeat(node, next);
    }
  }

  #repeat({ item, min, max }: Extract<PatternNode, { kind: "repeat" }>, next: number): number {
    let entry = next;
    if (max === Infinity) {
      entry = this.#add(EITHER, next, next);
      this.first[entry] = this.#node(item, entry);
    } else {
      for (let count = min; count < max; count++) {
        entry = this.#add(EITHER, this.#node(item, entry), next);
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

  #add(kind: number, first: number, second: number): number {
    if (this.kinds.length >= MAX_INSTRUCTIONS) {
      throw new Error(`it is too large: its repetitions, written out, have more than ${MAX_INSTRUCTIONS} parts`);
    }
    this.first.push(first);
    this.second.push(second);
    return this.kinds.push(kind) - 1;
  }

  #set(atom: string): number {
    const known = this.#setNumbers.get(atom);
    if (known !== undefined) {
      return known;
    }
    this.#setNumbers.set(atom, this.sets.length);
    return this.sets.push(new CharacterSet(atom)) - 1;
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
