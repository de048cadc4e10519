/**
 * Weighs text in bytes: a linear model over runs of characters, shaped after how byte-pair tokenizers cut text (words with
 * the space before them, digits by threes, punctuation in runs). Its weights were fitted to o200k_base on technical prose
 * in 14 languages, code and JSON; docs/token-estimates.md says how far off it is.
 */

/** Kinds of characters. */
const UPPER = 0;
const LOWER = 1;
/** Latin letters beyond ASCII. */
const ACCENTED = 2;
const DIGIT = 3;
const SPACE = 4;
const NEWLINE = 5;
const PUNCTUATION = 6;
const CYRILLIC = 7;
const HAN = 8;
const KANA = 9;
const HANGUL = 10;
/** Typographic marks: dashes, curly quotes, full-width forms, CJK punctuation. */
const MARK = 11;
/** Other alphabets. */
const FOREIGN = 12;
/** Characters beyond the basic plane: emoji, mostly. */
const ASTRAL = 13;
/** Symbols and all else. */
const OTHER = 14;
/** Kinds of bytes that are not characters by themselves. */
const STOP = 16;
const ESCAPE = 17;
/** The first byte of a character of so many. */
const LEAD_2 = 18;
const LEAD_3 = 19;
const LEAD_4 = 20;
/** The rest of a character, of which a sample began in the midst. */
const CONTINUATION = 21;

/** Where kinds begin beyond ASCII; each reaches to the next. */
const RANGES: readonly (readonly [number, number])[] = [
  [0x80, ACCENTED],
  [0x250, FOREIGN],
  [0x400, CYRILLIC],
  [0x530, FOREIGN],
  [0x1100, HANGUL],
  [0x1200, FOREIGN],
  [0x2000, OTHER],
  [0x2010, MARK],
  [0x2040, OTHER],
  [0x3000, MARK],
  [0x3040, KANA],
  [0x3100, OTHER],
  [0x3400, HAN],
  [0x4dc0, OTHER],
  [0x4e00, HAN],
  [0xa000, OTHER],
  [0xac00, HANGUL],
  [0xd7b0, OTHER],
  [0xd800, ASTRAL],
  [0xe000, OTHER],
  [0xf900, HAN],
  [0xfb00, OTHER],
  [0xff00, MARK],
  [0xfff0, OTHER],
];

function asciiKind(code: number): number {
  const character = String.fromCharCode(code);
  if (/[a-z]/.test(character)) return LOWER;
  if (/[A-Z]/.test(character)) return UPPER;
  if (/\d/.test(character)) return DIGIT;
  if (/[ \t]/.test(character)) return SPACE;
  return /[\r\n]/.test(character) ? NEWLINE : PUNCTUATION;
}

/** The kind of each code of the basic plane. */
const KINDS = new Uint8Array(65_536);
for (let code = 0; code < 128; code++) KINDS[code] = asciiKind(code);
for (const [from, kind] of RANGES) KINDS.fill(kind, from);

/** The kinds of bytes in plain text. */
export const PLAIN = new Uint8Array(256);
PLAIN.set(KINDS.subarray(0, 128));
PLAIN.fill(CONTINUATION, 0x80);
PLAIN.fill(LEAD_2, 0xc2, 0xe0);
PLAIN.fill(LEAD_3, 0xe0, 0xf0);
PLAIN.fill(LEAD_4, 0xf0);

/** The kinds of bytes in a JSON string: a quote ends it. */
export const IN_STRING = PLAIN.slice();
IN_STRING[0x22] = STOP;
IN_STRING[0x5c] = ESCAPE;

const UNICODE_ESCAPE = 0x75;
/** Kinds of what a letter stands for behind a backslash. */
const ESCAPED = new Uint8Array(256).fill(PUNCTUATION);
for (const letter of "nr") ESCAPED[letter.charCodeAt(0)] = NEWLINE;
ESCAPED[0x74] = SPACE;

/** A Latin word; in camelCase each part is one. */
const WORD = 0.84;
/** Each letter of a word beyond the sixth. */
const LONG_WORD_LETTER = 0.4;
const LONG_WORD = 6;
const ACCENTED_LETTER = 0.375;
const CAPITAL_AFTER_CAPITAL = 0.063;
/** Each three digits of a number. */
const DIGITS = 1.45;
/** Two or more spaces: an indent. One space belongs to the word behind it. */
const INDENT = 1.244;
/** Runs of other kinds: the first character, and each further one. */
const RUNS = [
  [NEWLINE, 0.381, 0],
  [PUNCTUATION, 0.86, 0.021],
  [CYRILLIC, 0.813, 0.194],
  [HAN, 0.75, 0.75],
  [KANA, 0.75, 0.75],
  [HANGUL, 0.753, 0.753],
  [MARK, 0.945, 0.945],
  [FOREIGN, 0.401, 0.401],
  [ASTRAL, 2.2, 2.2],
  [OTHER, 1.946, 1.946],
] as const;

/**
 * The model as an automaton, since a table has no branches to mispredict: at `state + kind`, what a character costs and the
 * state it leads to. States are multiples of STRIDE.
 */
const STRIDE = 16;
const COST = new Float64Array(STRIDE * 32);
const NEXT = new Uint16Array(STRIDE * 32);
/** Capitals at the beginning of a word, and letters after a small one: each the first, the second, …, all further ones. */
const CAPITALS = 1;
const LETTERS = CAPITALS + LONG_WORD + 1;
const DIGIT_STATES = LETTERS + LONG_WORD + 1;
const SPACE_STATES = DIGIT_STATES + 3;
const RUN_STATES = SPACE_STATES + 2;

function transition(state: number, kind: number, next: number, cost: number): void {
  COST[state * STRIDE + kind] = cost;
  NEXT[state * STRIDE + kind] = next * STRIDE;
}

for (let state = 0; state < RUN_STATES + RUNS.length; state++) {
  transition(state, UPPER, CAPITALS, WORD);
  transition(state, LOWER, LETTERS, WORD);
  transition(state, ACCENTED, LETTERS, WORD + ACCENTED_LETTER);
  transition(state, DIGIT, DIGIT_STATES, DIGITS);
  transition(state, SPACE, SPACE_STATES, 0);
  for (const [index, [kind, first, further]] of RUNS.entries()) {
    transition(state, kind, RUN_STATES + index, state === RUN_STATES + index ? further : first);
  }
}
for (let letter = 0; letter <= LONG_WORD; letter++) {
  const next = Math.min(letter + 1, LONG_WORD);
  const cost = next === LONG_WORD ? LONG_WORD_LETTER : 0;
  transition(CAPITALS + letter, UPPER, CAPITALS + next, cost + CAPITAL_AFTER_CAPITAL);
  for (const state of [CAPITALS + letter, LETTERS + letter]) {
    transition(state, LOWER, LETTERS + next, cost);
    transition(state, ACCENTED, LETTERS + next, cost + ACCENTED_LETTER);
  }
}
transition(DIGIT_STATES, DIGIT, DIGIT_STATES + 1, 0);
transition(DIGIT_STATES + 1, DIGIT, DIGIT_STATES + 2, 0);
transition(SPACE_STATES, SPACE, SPACE_STATES + 1, INDENT);
transition(SPACE_STATES + 1, SPACE, SPACE_STATES + 1, 0);

/** The kinds that ASCII has are below this. */
const PAIRED = 8;
/** Two steps in one, at `state * PAIRS_PER_KIND + first kind * PAIRED + second kind`: a step waits for the one before it. */
const PAIRS_PER_KIND = (PAIRED * PAIRED) / STRIDE;
const PAIR_COST = new Float64Array(PAIRS_PER_KIND * COST.length);
const PAIR_NEXT = new Uint16Array(PAIRS_PER_KIND * COST.length);
for (let state = 0; state < COST.length; state += STRIDE) {
  for (let pair = 0; pair < PAIRED * PAIRED; pair++) {
    const first = state + Math.floor(pair / PAIRED);
    const second = NEXT[first]! + (pair % PAIRED);
    PAIR_COST[state * PAIRS_PER_KIND + pair] = COST[first]! + COST[second]!;
    PAIR_NEXT[state * PAIRS_PER_KIND + pair] = NEXT[second]!;
  }
}

/** Where the last weighing stopped: at the quote that ends the string, or at the end. */
export const stopped = { at: 0 };

/**
 * Estimated tokens of the UTF-8 text in `bytes` from `start` to `end`.
 * @param kinds PLAIN, or IN_STRING: up to the quote that ends a JSON string, whose escapes stand for what they mean
 */
export function weigh(bytes: Uint8Array, start: number, end: number, kinds: Uint8Array): number {
  let tokens = 0;
  let at = start;
  let state = 0;
  while (at < end) {
    const byte = bytes[at]!;
    let kind = kinds[byte]!;
    if (at + 1 < end) {
      const second = kinds[bytes[at + 1]!]!;
      if ((kind | second) < PAIRED) {
        const pair = state * PAIRS_PER_KIND + kind * PAIRED + second;
        tokens += PAIR_COST[pair]!;
        state = PAIR_NEXT[pair]!;
        at += 2;
        continue;
      }
    }
    if (kind < STOP) {
      at++;
    } else if (kind === LEAD_3) {
      kind = KINDS[((byte & 15) << 12) | ((bytes[at + 1]! & 63) << 6) | (bytes[at + 2]! & 63)]!;
      at += 3;
    } else if (kind === LEAD_2) {
      kind = KINDS[((byte & 31) << 6) | (bytes[at + 1]! & 63)]!;
      at += 2;
    } else if (kind === ESCAPE) {
      const escaped = bytes[at + 1]!;
      kind = escaped === UNICODE_ESCAPE ? KINDS[hexadecimal(bytes, at + 2)]! : ESCAPED[escaped]!;
      at += escaped === UNICODE_ESCAPE ? 6 : 2;
    } else if (kind === LEAD_4) {
      kind = ASTRAL;
      at += 4;
    } else if (kind === STOP) {
      break;
    } else {
      at++;
      continue;
    }
    tokens += COST[state + kind]!;
    state = NEXT[state + kind]!;
  }
  stopped.at = at;
  return tokens;
}

/** The four digits of a `\u` escape. */
function hexadecimal(bytes: Uint8Array, at: number): number {
  let code = 0;
  for (let digit = at; digit < at + 4; digit++) {
    const byte = bytes[digit]!;
    code = (code << 4) | (byte <= 0x39 ? byte & 15 : (byte & 15) + 9);
  }
  return code & 0xffff;
}
