import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LinearPattern, StepsExceededError } from "./linear-pattern.ts";

const ENOUGH = 1_000_000;
const matches = (source: string, text: string): boolean => new LinearPattern(source).test(text, { left: ENOUGH });

/**
 * What JavaScript says, asked at each code point: in Unicode's mode there are no other places (ECMA-262, RegExpBuiltinExec).
 * A search of V8 also looks within surrogate pairs: `/\B/u.exec("a😀a")` is a match at 2, between the halves of one.
 */
function matchesSomewhere(source: string, subject: string): boolean {
  const expression = new RegExp(source, "uy");
  for (let at = 0; at <= subject.length; at += (subject.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) {
    expression.lastIndex = at;
    if (expression.test(subject)) return true;
  }
  return false;
}

/** Patterns over a small alphabet, so that texts of it often match. */
const pattern = fc.letrec<{ choice: string; sequence: string; term: string; group: string }>((tie) => ({
  choice: fc.array(tie("sequence"), { minLength: 1, maxLength: 3 }).map((parts) => parts.join("|")),
  sequence: fc.array(tie("term"), { maxLength: 4 }).map((parts) => parts.join("")),
  term: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom("^", "$", String.raw`\b`, String.raw`\B`) },
    {
      weight: 6,
      arbitrary: fc
        .tuple(
          fc.constantFrom(
            "a",
            "b",
            "-",
            ".",
            String.raw`\w`,
            String.raw`\W`,
            String.raw`\d`,
            "[ab]",
            "[^a\\-]",
            "é",
            "😀",
            String.raw`\p{L}`,
            String.raw`\u{1F600}`,
            String.raw`\.`,
          ),
          fc.constantFrom("", "", "*", "+", "?", "*?", "+?", "{2}", "{1,3}", "{2,}", "{0}"),
        )
        .map((parts) => parts.join("")),
    },
    { weight: 3, arbitrary: tie("group") },
  ),
  group: fc
    .tuple(fc.constantFrom("(", "(?:"), tie("choice"), fc.constant(")"), fc.constantFrom("", "*", "+", "?", "{2,3}"))
    .map((parts) => parts.join("")),
})).choice;
const text = fc
  .array(fc.constantFrom("a", "b", "-", ".", "1", "_", "\n", "é", "😀", "\ud83d"), { maxLength: 8 })
  .map((parts) => parts.join(""));

test("what matches is what JavaScript says in Unicode's mode", () => {
  fc.assert(
    fc.property(pattern, text, (source, subject) => {
      assert.equal(matches(source, subject), matchesSomewhere(source, subject));
    }),
    { numRuns: 3_000 },
  );
});

test("usual patterns of schemas, also with what only the old mode takes", () => {
  const cases: [source: string, texts: string[], others: string[]][] = [
    ["^[0-9a-f]{64}$", ["0".repeat(64)], ["0".repeat(63), "0".repeat(65), "g".repeat(64)]],
    ["^\\d{4}-\\d{2}$", ["2026-11"], ["2026-1", "x2026-11"]],
    ["^[\\w\\.\\-]+\\@[\\w.-]+$", ["a.b-c@d.e"], ["a", "@", "a@"]],
    ["^.{1,5000}$", ["😀".repeat(5_000)], ["", "x".repeat(5_001), "a\nb"]],
    ["^(?<year>\\d+)|x{,2}$", ["7", "x{,2}"], ["xx"]],
    ["a{", ["a{"], ["a"]],
    ["^(a|ab)(c|bcd)$", ["abcd", "ac", "abc"], ["abbcd2", "a"]],
    ["^\\uD83D\\uDE00$", ["😀"], ["😁"]],
    ["^(){99999999999}$|^(?:)*x$", ["", "x"], ["y"]],
    ["", ["", "x"], []],
  ];
  for (const [source, texts, others] of cases) {
    for (const subject of texts) assert.ok(matches(source, subject), `${source} ${subject.slice(0, 20)}`);
    for (const subject of others) assert.ok(!matches(source, subject), `${source} ${subject.slice(0, 20)}`);
  }
});

test("steps are counted, and no text makes a pattern take more than its length allows", () => {
  const hostile = `${"a".repeat(100_000)}!`;
  for (const source of ["(a+)+$", "^(a+)+$", "^(a|a)+$", "^(a*)*b$", "a*a*a*a*b", "^(?:a?){50}a{50}$", "\\s+$"]) {
    const budget = { left: 2_000_000 };
    assert.equal(new LinearPattern(source).test(hostile, budget), false, source);
    assert.ok(budget.left > 0 && budget.left < 2_000_000, `${source}: ${budget.left}`);
  }
  const wide = new LinearPattern("(a?){500}b");
  const budget = { left: 100_000 };
  assert.throws(() => wide.test(hostile, budget), StepsExceededError);
  assert.ok(budget.left > -10_000, "it stops at once");
  assert.equal(
    new LinearPattern("^b").test("a".repeat(10_000_000), { left: 10 }),
    false,
    "what is anchored ends early",
  );
});

test("what cannot be matched without going back is refused by name", () => {
  const cases: [source: string, message: RegExp][] = [
    ["^(?=.*\\d).+$", /"\(\?=\.\*\\d\)\.\+" cannot be used: look-around/],
    ["(?<!a)b", /cannot be used/],
    ["(a)\\1", /"\\1" cannot be used/],
    ["(?<n>a)\\k<n>", /cannot be used/],
    ["(?i:a)", /cannot be used/],
    ["(a{1000}){1000}", /too large/],
    ["a{0,99999999}", /too large/],
    ["(".repeat(600) + ")".repeat(600), /more than 500 deep/],
  ];
  for (const [source, message] of cases) {
    assert.doesNotThrow(() => new RegExp(source));
    assert.throws(() => new LinearPattern(source), { message }, source.slice(0, 50));
  }
});
