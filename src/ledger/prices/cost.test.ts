import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { Usage } from "../../dialects/form.ts";
import { cataloguePrice } from "./catalogue.ts";
import { costNanoUsd, formatUsd, reserveNanoUsd } from "./cost.ts";
import { freePrice, isFree, priceOfConfig, type Price } from "./price.ts";

const NOW = Date.parse("2026-11-25T12:00:00Z");

function usageOf(usage: Partial<Usage>): Usage {
  return { promptTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0, ...usage };
}

function priced(provider: string, model: string): Price {
  const price = cataloguePrice(provider, model);
  assert.ok(price, `${provider} ${model} has a price`);
  return price;
}

test("(13) a long prompt, mostly cached, is billed at cached prices, by the tier of the whole prompt", () => {
  const usage = usageOf({ promptTokens: 262_960, cachedTokens: 257_955, completionTokens: 1_744 });
  // above 200,000: 5,005 × $6 + 257,955 × $0.60 + 1,744 × $22.50 a million
  assert.equal(costNanoUsd(priced("anthropic", "claude-sonnet-4-5-20250929"), usage, NOW), 224_043_000);
  // below 272,000: 5,005 × $2.50 + 257,955 × $0.25 + 1,744 × $15 a million
  assert.equal(costNanoUsd(priced("openai", "gpt-5.4"), usage, NOW), 103_161_250);
  // 272,000 and more: 14,045 × $5 + 257,955 × $0.50 + 1,744 × $22.50 a million
  const longer = { ...usage, promptTokens: 272_000 };
  assert.equal(costNanoUsd(priced("openai", "gpt-5.4"), longer, NOW), 238_442_500);
  // 271,999: 14,044 × $2.50 + 257,955 × $0.25 + 1,744 × $15 a million
  assert.equal(costNanoUsd(priced("openai", "gpt-5.4"), { ...usage, promptTokens: 271_999 }, NOW), 125_758_750);
});

const RATES = {
  input: 1_000,
  cachedInput: 100,
  cacheWrite: 1_250,
  cacheWriteHour: 2_000,
  output: 4_000,
  reasoning: 5_000,
};
const PRICE = priceOfConfig({ base: RATES, tiers: [] }, { kind: "target" });

test("each kind of token has its own price, and parts are not counted twice", () => {
  const usage = usageOf({
    promptTokens: 1_000,
    cachedTokens: 300,
    cacheWriteTokens: 200,
    cacheWriteHourTokens: 50,
    completionTokens: 100,
    reasoningTokens: 40,
  });
  // 500 × 1 + 300 × 0.1 + 150 × 1.25 + 50 × 2 + 60 × 4 + 40 × 5 nanodollars
  assert.equal(costNanoUsd(PRICE, usage, NOW), 1_258);
});

test("sound has its own price where the catalogue has one", () => {
  const usage = usageOf({ promptTokens: 1_000_000, audioPromptTokens: 400_000 });
  // 600,000 × $0.30 + 400,000 × $1 a million
  assert.equal(costNanoUsd(priced("google", "gemini-2.5-flash"), usage, NOW), 580_000_000);
});

test("cache writes of an hour are dearer than those of five minutes", () => {
  const usage = usageOf({ promptTokens: 1_000, cacheWriteTokens: 1_000, cacheWriteHourTokens: 400 });
  // 600 × $3.75 + 400 × $6 a million
  assert.equal(costNanoUsd(priced("anthropic", "claude-sonnet-4-5"), usage, NOW), 4_650_000);
});

test("rounded up once, not for each kind of token", () => {
  const third = { ...RATES, input: 1, cachedInput: 1, output: 1 };
  const price = priceOfConfig({ base: third, tiers: [] }, { kind: "target" });
  assert.equal(costNanoUsd(price, usageOf({ promptTokens: 2, cachedTokens: 1, completionTokens: 1 }), NOW), 1);
  assert.equal(costNanoUsd(price, usageOf({ promptTokens: 1_000 }), NOW), 1);
  assert.equal(costNanoUsd(price, usageOf({ promptTokens: 1_001 }), NOW), 2);
  // as a quotient this is rounded to 8,800,000,000,000
  const much = 8_800_000_000_000_001;
  assert.equal(costNanoUsd(price, usageOf({ promptTokens: much }), NOW), 8_800_000_000_001);
});

test("counts that contradict themselves cost something sensible", () => {
  const usage = usageOf({
    promptTokens: 10,
    cachedTokens: 99,
    cacheWriteTokens: 99,
    completionTokens: 1,
    reasoningTokens: 9,
  });
  assert.equal(costNanoUsd(PRICE, usage, NOW), 6);
  assert.equal(costNanoUsd(PRICE, usageOf({ promptTokens: 1e300 }), NOW), Number.MAX_SAFE_INTEGER);
});

test("exact for any counts and prices, and never more than what was reserved for them", () => {
  const tokens = fc.integer({ min: 0, max: 5_000_000 });
  const rate = fc.integer({ min: 0, max: 600_000_000 });
  const rates = fc.record({
    input: rate,
    cachedInput: rate,
    cacheWrite: rate,
    cacheWriteHour: rate,
    output: rate,
    reasoning: rate,
  });
  fc.assert(
    fc.property(rates, rates, tokens, tokens, tokens, tokens, (base, long, fresh, cached, written, output) => {
      const price = priceOfConfig({ base, tiers: [{ above: 200_000, rates: long }] }, { kind: "target" });
      const promptTokens = fresh + cached + written;
      const usage = usageOf({
        promptTokens,
        cachedTokens: cached,
        cacheWriteTokens: written,
        completionTokens: output,
      });
      const used = promptTokens > 200_000 ? long : base;
      const pico =
        BigInt(fresh) * BigInt(used.input) +
        BigInt(cached) * BigInt(used.cachedInput) +
        BigInt(written) * BigInt(used.cacheWrite) +
        BigInt(output) * BigInt(used.output);
      fc.pre(pico < 2n ** 53n);
      const nano = costNanoUsd(price, usage, NOW);
      assert.equal(BigInt(nano), (pico + 999n) / 1_000n);
      assert.ok(nano <= reserveNanoUsd(price, promptTokens, output, NOW));
    }),
  );
});

test("what is reserved expects no discount, and a dearer cache write", () => {
  assert.equal(reserveNanoUsd(PRICE, 1_000, 100, NOW), 2_500);
  const sonnet = priced("anthropic", "claude-sonnet-4-5");
  // 1,000 × $6 + 100 × $15 a million
  assert.equal(reserveNanoUsd(sonnet, 1_000, 100, NOW), 7_500_000);
  // a dearer price for short prompts holds, too: the estimate may be too high
  const base = { ...RATES, cacheWriteHour: 1_250 };
  const tiers = [{ above: 500, rates: { ...base, cacheWrite: 1, cacheWriteHour: 1, input: 1 } }];
  assert.equal(reserveNanoUsd(priceOfConfig({ base, tiers }, { kind: "target" }), 1_000, 0, NOW), 1_250);
});

test("a price that changes: by day, and by the time of day", () => {
  const million = usageOf({ promptTokens: 1_000_000 });
  const at = (model: string, time: string): number => costNanoUsd(priced("deepseek", model), million, Date.parse(time));
  assert.equal(at("deepseek-chat", "2026-11-25T00:29:59.999Z"), 135_000_000);
  assert.equal(at("deepseek-chat", "2026-11-25T00:30:00Z"), 270_000_000);
  assert.equal(at("deepseek-chat", "2026-11-25T16:30:00Z"), 135_000_000);
  assert.equal(at("deepseek-v4-pro", "2026-08-16T23:59:59Z"), 435_000_000);
  assert.equal(at("deepseek-v4-pro", "2026-08-17T00:00:00Z"), 660_000_000);
  assert.equal(at("deepseek-v4-pro", "2026-08-17T03:00:00Z"), 1_320_000_000);
  const nightly = {
    ...PRICE,
    exceptions: [
      {
        period: { kind: "daily", startMs: 82_800_000, endMs: 3_600_000 },
        tariff: freePrice({ kind: "target" }).tariff,
      },
    ],
  } as const;
  const cost = (time: string): number => costNanoUsd(nightly, usageOf({ promptTokens: 1 }), Date.parse(time));
  assert.deepEqual(
    ["22:59", "23:00", "00:59", "01:00"].map((time) => cost(`2026-01-01T${time}:00Z`)),
    [1, 0, 0, 1],
    "over midnight",
  );
});

test("free is a price of nothing", () => {
  const free = freePrice({ kind: "builtin" });
  assert.ok(isFree(free));
  assert.ok(!isFree(PRICE));
  assert.equal(costNanoUsd(free, usageOf({ promptTokens: 1e9, completionTokens: 1e9 }), NOW), 0);
  assert.equal(reserveNanoUsd(free, 1e9, 1e9, NOW), 0);
});

test("dollars are plain decimals, however small", () => {
  const cases: [number, string][] = [
    [0, "0"],
    [1, "0.000000001"],
    [224_043_000, "0.224043"],
    [1_000_000_000, "1"],
    [12_345_678_901, "12.345678901"],
    [Number.MAX_SAFE_INTEGER, "9007199.254740991"],
  ];
  for (const [nano, text] of cases) assert.equal(formatUsd(nano), text);
});
