import assert from "node:assert/strict";
import { test } from "node:test";
import { TestConfig } from "./config-helper.test.ts";
import type { RatesConfig } from "./snapshot.ts";

const config = new TestConfig();
const PROVIDER = "providers: [ { name: p, dialect: openai, baseUrl: http://a/v1 } ]\n";

/** A configuration with these prices; the target has this price. */
const priced = (prices: string, price = "{ free: true }"): string =>
  `${PROVIDER}models: [ { name: m, targets: [ { provider: p, model: x, price: ${price} } ] } ]\n` +
  `consumers: [ { name: c, grants: [ { model: m } ], keys: [ { name: k, hash: "sha256:${"ab".repeat(32)}" } ] } ]\nprices: [ ${prices} ]\n`;

const rates = (input: number, output: number, more: Partial<RatesConfig> = {}): RatesConfig => {
  const cacheWrite = more.cacheWrite ?? input;
  return { input, cachedInput: input, cacheWrite, cacheWriteHour: cacheWrite, output, reasoning: output, ...more };
};

test("prices arrive as whole picodollars a token, with what was left out", () => {
  const { snapshot, warnings } = config.load(
    priced(
      `{ model: "gpt*", input: 2.5, output: "\${OUT}" },
       { provider: p, model: x, input: 0.000001, cachedInput: 0, cacheWrite: 1.25, output: 10000, reasoning: 3,
         tiers: [ { above: 200000, input: 5, cacheWriteHour: 7 }, { above: 400000, output: 1 } ] }`,
    ),
    { OUT: "15" },
  );
  assert.deepEqual(warnings, []);
  assert.deepEqual(snapshot.models[0]?.targets[0]?.price, { base: rates(0, 0), tiers: [] });
  const own = { cachedInput: 0, cacheWrite: 1_250_000, reasoning: 3_000_000 };
  assert.deepEqual(snapshot.prices, [
    { model: "gpt*", price: { base: rates(2_500_000, 15_000_000), tiers: [] } },
    {
      provider: "p",
      model: "x",
      price: {
        base: rates(1, 10_000_000_000, own),
        tiers: [
          { above: 200_000, rates: rates(5_000_000, 10_000_000_000, { ...own, cacheWriteHour: 7_000_000 }) },
          { above: 400_000, rates: rates(1, 1_000_000, own) },
        ],
      },
    },
  ]);
});

test("what a tier leaves out and its price as well costs what the tier's input and output cost", () => {
  const { snapshot } = config.load(priced("", "{ input: 1, output: 2, tiers: [ { above: 9, input: 3, output: 4 } ] }"));
  assert.deepEqual(snapshot.models[0]?.targets[0]?.price?.tiers, [{ above: 9, rates: rates(3_000_000, 4_000_000) }]);
});

test("a price that nobody can mean is refused, with what to do", () => {
  const wrong = "must be dollars per million tokens, from 0 to 10000";
  const cases: [price: string, message: string][] = [
    ["{ input: -1, output: 1 }", `input: ${wrong}`],
    ["{ input: .nan, output: 1 }", "input: must be a finite number"],
    ["{ input: .inf, output: 1 }", "input: must be a finite number"],
    ["{ input: 10000.01, output: 1 }", `input: ${wrong}`],
    ["{ input: 1e3x, output: 1 }", `input: ${wrong}`],
    ["{ input: NaN, output: 1 }", `input: ${wrong}`],
    ["{ input: $3, output: 1 }", `input: ${wrong}`],
    ["{ input: true, output: 1 }", `input: ${wrong}`],
    ["{ input: 0.0000025, output: 1 }", "6 decimals, found 0.0000025. Prices are dollars per million tokens, not"],
    ["{ input: 1 }", "price: has no `output`. Give `input` and `output`; 0 where nothing is charged, or `free: true`."],
    ["{ }", "price: has no `input`"],
    ["{ free: false }", "price: has no `input`"],
    ["{ free: true, output: 0 }", "output: stands beside `free: true`, found 0. Keep one of them."],
    ["{ free: true, tiers: [] }", "tiers: stands beside `free: true`. Keep one of them."],
    ["{ input: 1, outptu: 1 }", 'outptu: there is no such key. Did you mean "output"?'],
    ["{ input: 1, output: 1, tiers: [ { input: 2 } ] }", "tiers[0].above: is missing. Add `above`."],
    ["{ input: 1, output: 1, tiers: [ { above: 0 } ] }", "tiers[0].above: must be a whole number from 1"],
    [
      "{ input: 1, output: 1, tiers: [ { above: 9 }, { above: 9 } ] }",
      "tiers[1].above: must be more than that of the tier before, found 9. Put tiers in ascending order.",
    ],
    ["3", "price: must be a map, not a number"],
  ];
  for (const [price, message] of cases) {
    const problems = config.problems(priced("", price));
    assert.ok(
      problems.some((problem) => problem.includes(message)),
      `${price}: ${problems.join("\n")}`,
    );
  }
});

test("rules name a provider that exists, one model, and no model twice", () => {
  const problems = config.problems(
    priced(
      `{ provider: q, model: x, free: true }, { model: "a*b", free: true }, { model: y, free: true },
       { provider: p, model: y, free: true }, { model: y, input: 1, output: 1 }, { free: true }`,
    ),
  );
  const expected = [
    /prices\[0\]\.provider: there is no provider "q"/,
    /prices\[1\]\.model: may have \* only at its end/,
    /prices\[4\]\.model: the price of this model is already used at prices\[2\]\.model/,
    /prices\[5\]\.model: is missing/,
  ];
  assert.equal(problems.length, expected.length, problems.join("\n"));
  for (const [index, pattern] of expected.entries()) assert.match(problems[index] ?? "", pattern);
});
