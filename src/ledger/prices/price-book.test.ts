import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { calcPrice, findProvider } from "@pydantic/genai-prices";
import type { PriceConfig, PriceRuleConfig } from "../../config/snapshot.ts";
import { VENDORS } from "../../config/vendors.ts";
import { CATALOGUE, cataloguePrice } from "./catalogue.ts";
import { CATALOGUE_HOSTS, catalogueProviderOf } from "./catalogue-provider.ts";
import { costNanoUsd } from "./cost.ts";
import { isFree } from "./price.ts";
import { PriceBook, type PricedProvider } from "./price-book.ts";

const NOW = Date.parse("2026-11-25T12:00:00Z");
const openai: PricedProvider = { name: "openai", kind: "http", nodes: [{ url: "https://api.openai.com/v1" }] };
const idc: PricedProvider = { name: "idc", kind: "http", nodes: [{ url: "http://10.0.0.7:8000/v1" }] };
const offline: PricedProvider = { name: "offline", kind: "builtin", nodes: [] };

function dollars(input: number): PriceConfig {
  const rate = input * 1e6;
  const base = {
    input: rate,
    cachedInput: rate,
    cacheWrite: rate,
    cacheWriteHour: rate,
    output: rate,
    reasoning: rate,
  };
  return { base, tiers: [] };
}

function rule(model: string, input: number, provider?: string): PriceRuleConfig {
  return { ...(provider !== undefined && { provider }), model, price: dollars(input) };
}

test("which price applies: the target's, the most specific rule's, the catalogue's, or none", () => {
  const book = new PriceBook([
    rule("*", 1, "idc"),
    rule("qwen*", 2, "idc"),
    rule("qwen3*", 3, "idc"),
    rule("qwen3-32b", 4, "idc"),
    rule("qwen3-32b", 5),
    rule("gpt-4o*", 6),
  ]);
  const inputOf = (provider: PricedProvider, model: string): number | undefined =>
    book.find(provider, {}, model)?.tariff.base.input;
  assert.equal(inputOf(idc, "qwen3-32b"), 4e6);
  assert.equal(inputOf(idc, "qwen3-8b"), 3e6);
  assert.equal(inputOf(idc, "qwen2"), 2e6);
  assert.equal(inputOf(idc, "gpt-4o"), 1e6, "a rule for the provider goes before one for all");
  assert.equal(inputOf(openai, "qwen3-32b"), 5e6);
  assert.equal(inputOf(openai, "gpt-4o-mini"), 6e6);
  assert.equal(inputOf(openai, "gpt-5.4"), 2.5e6);
  assert.equal(inputOf(openai, "nobody-knows"), undefined);
  const own = book.find(idc, { price: dollars(9) }, "qwen3-32b");
  assert.deepEqual([own?.tariff.base.input, own?.source], [9e6, { kind: "target" }]);
  assert.deepEqual(book.find(openai, {}, "gpt-4o-mini")?.source, {
    kind: "rule",
    provider: undefined,
    model: "gpt-4o*",
  });
});

test("a node of one's own has no catalogue price, whatever its model is called; the test model is free", () => {
  const book = new PriceBook([]);
  assert.equal(book.find(idc, {}, "gpt-5.4"), undefined);
  const echo = book.find(offline, {}, "echo");
  assert.ok(echo !== undefined && isFree(echo));
  assert.equal(new PriceBook([rule("echo", 3)]).find(offline, {}, "echo")?.tariff.base.input, 3e6);
});

test("a price is looked up once, frozen all through, and says where it is from", () => {
  const book = new PriceBook([]);
  const price = book.find(openai, {}, "gpt-5.4");
  assert.equal(book.find(openai, {}, "gpt-5.4"), price);
  assert.deepEqual(price?.source, { kind: "catalogue", provider: "openai", model: "gpt-5.4" });
  const check = (value: unknown): void => {
    if (typeof value === "object" && value !== null) {
      assert.ok(Object.isFrozen(value));
      Object.values(value).forEach(check);
    }
  };
  check(price);
  check(book.find(idc, { price: dollars(1) }, "x"));
  check(book.find(offline, {}, "echo"));
});

test("names that clients make up do not fill the memory", () => {
  const book = new PriceBook([]);
  const first = book.find(openai, {}, "gpt-5.4");
  for (let count = 0; count < 9_999; count++) book.find(idc, {}, `model-${count}`);
  assert.equal(book.find(openai, {}, "gpt-5.4"), first);
  book.find(idc, {}, "one too many");
  assert.notEqual(book.find(openai, {}, "gpt-5.4"), first, "it was forgotten, and looked up anew");
});

test("a provider is a vendor by the host of its URLs, and only if all agree", () => {
  const cases: [string[], string | undefined][] = [
    [["https://api.openai.com/v1"], "openai"],
    [["https://api.openai.com/v1", "https://api.openai.com/v1"], "openai"],
    [["https://api.openai.com/v1", "https://api.groq.com/openai/v1"], undefined],
    [["https://api.openai.com/v1", "http://10.0.0.7:8000/v1"], undefined],
    [["http://api.openai.com/v1"], undefined],
    [["https://api.openai.com.example.org/v1"], undefined],
    [["https://example.org/https://api.openai.com"], undefined],
    [["https://my-team.openai.azure.com/openai/v1"], "azure"],
    [["https://openai.azure.com.example.org"], undefined],
    [["https://router.huggingface.co/groq/openai/v1"], "huggingface_groq"],
    [["https://router.huggingface.co/groqx/v1"], undefined],
    [["https://us-central1-aiplatform.googleapis.com/v1"], "google"],
    [[], undefined],
  ];
  for (const [urls, vendor] of cases) assert.equal(catalogueProviderOf(urls), vendor, urls.join());
});

test("every vendor of the table is in the catalogue, under that address", () => {
  // the catalogue knows these under other addresses of theirs
  const renamed = new Set(["api.together.ai"]);
  for (const [pattern, vendor] of CATALOGUE_HOSTS) {
    const provider = findProvider({ providerId: vendor });
    assert.equal(provider?.id, vendor);
    const url = `https://${pattern.replace("*", pattern.startsWith("*-") ? "us-east5" : "x")}/v1`;
    assert.ok(renamed.has(pattern) || new RegExp(`^(?:${provider.api_pattern})`).test(url), url);
  }
  for (const { name, baseUrl } of VENDORS) assert.ok(catalogueProviderOf([baseUrl]), name);
});

test("the catalogue's version is the dependency's", () => {
  const text = readFileSync(join(import.meta.dirname, "../../../package.json"), "utf8");
  const { dependencies } = JSON.parse(text) as { dependencies: Record<string, string> };
  assert.equal(CATALOGUE.version, dependencies["@pydantic/genai-prices"]);
});

test("models that are not charged by the token, or are not known, have no price; those marked free do", () => {
  assert.equal(cataloguePrice("groq", "whisper-large-v3"), undefined);
  assert.equal(cataloguePrice("openai", "nobody-knows"), undefined);
  assert.equal(cataloguePrice("nobody", "gpt-5.4"), undefined);
  assert.equal(cataloguePrice("cerebras", "qwen-3-coder-480b"), undefined, "an empty price is none");
  const free = cataloguePrice("openrouter", "deepseek/deepseek-r1:free");
  assert.ok(free !== undefined && isFree(free));
  assert.deepEqual(cataloguePrice("azure", "claude-sonnet-4-5")?.source, {
    kind: "catalogue",
    provider: "anthropic",
    model: "claude-sonnet-4-5",
  });
});

test("costs are those that the catalogue's own functions compute", () => {
  for (const [, vendor] of CATALOGUE_HOSTS) {
    for (const { id } of findProvider({ providerId: vendor })?.models ?? []) {
      const price = cataloguePrice(vendor, id);
      if (price === undefined) continue;
      for (const promptTokens of [1_000, 250_000, 600_000]) {
        const [cachedTokens, cacheWriteTokens, completionTokens] = [400, 100, 700];
        const usage = { promptTokens, cachedTokens, cacheWriteTokens, completionTokens, reasoningTokens: 0 };
        const theirs = calcPrice(
          { input_tokens: promptTokens, cache_read_tokens: 400, cache_write_tokens: 100, output_tokens: 700 },
          id,
          { providerId: vendor, timestamp: new Date(NOW) },
        );
        if (theirs === null) continue;
        const requests = theirs.model_price["requests_kcount"];
        const expected = (theirs.total_price - (typeof requests === "number" ? requests / 1_000 : 0)) * 1e9;
        // a rate of theirs with more than six decimals is rounded
        assert.ok(Math.abs(costNanoUsd(price, usage, NOW) - expected) <= 1.1, `${vendor} ${id} ${promptTokens}`);
      }
    }
  }
});
