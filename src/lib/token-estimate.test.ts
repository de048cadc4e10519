import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JsonValue } from "./json.ts";
import { estimateTokens, estimateTokensOfBody, estimateTokensOfJson } from "./token-estimate.ts";

/** Texts that the weights were not fitted to, with their tokens in o200k_base. */
const SAMPLES: readonly (readonly [string, number, string])[] = [
  [
    "English",
    52,
    "The gateway keeps one connection pool for each provider and forwards every chunk as soon as it arrives. If a node stops answering, the request is tried again elsewhere, unless the client has already seen part of the answer; nobody wants to read the same sentence twice.",
  ],
  [
    "Chinese",
    58,
    "网关为每个供应商维护一个连接池，收到数据块后立即转发给客户端。如果某个节点停止响应，请求会在其他节点上重试，除非客户端已经看到了部分回答。没有人愿意把同一句话读两遍。",
  ],
  [
    "Japanese",
    60,
    "ゲートウェイはプロバイダーごとに接続プールを保持し、届いたデータをすぐにクライアントへ転送します。ノードが応答しなくなった場合は、別のノードで再試行されます。",
  ],
  [
    "Russian",
    43,
    "Шлюз держит отдельный пул соединений для каждого поставщика и сразу передаёт клиенту всё, что пришло. Если узел перестал отвечать, запрос повторяется на другом узле.",
  ],
  [
    "German",
    34,
    "Das Gateway hält für jeden Anbieter einen Verbindungspool und leitet jedes Stück sofort weiter. Antwortet ein Knoten nicht mehr, wird die Anfrage anderswo wiederholt.",
  ],
  [
    "TypeScript",
    57,
    "export function readHeader(name: string, headers: Map<string, string>): string | undefined {\n  const value = headers.get(name.toLowerCase());\n  if (value === undefined || value.length > 8192) {\n    return undefined;\n  }\n  return value.trim();\n}\n",
  ],
  [
    "Python",
    57,
    "def moving_average(values, size=16):\n    total = 0.0\n    for index, value in enumerate(values):\n        total += value\n        if index >= size:\n            total -= values[index - size]\n        yield total / min(index + 1, size)\n",
  ],
  [
    "JSON",
    56,
    '{"name":"get_weather","description":"Current weather at a place","parameters":{"type":"object","properties":{"city":{"type":"string","description":"City and country"},"unit":{"type":"string","enum":["celsius","fahrenheit"]}},"required":["city"]}}',
  ],
];

for (const [kind, tokens, text] of SAMPLES) {
  test(`${kind}: within 20 %`, () => {
    const ratio = estimateTokens(text) / tokens;
    assert.ok(ratio > 0.8 && ratio < 1.2, `${ratio}`);
  });
}

test("all samples together: within 5 %", () => {
  const tokens = SAMPLES.reduce((sum, [, count]) => sum + count, 0);
  const estimate = SAMPLES.reduce((sum, [, , text]) => sum + estimateTokens(text), 0);
  assert.ok(Math.abs(estimate / tokens - 1) < 0.05, `${estimate} of ${tokens}`);
});

test("any text has a finite estimate, and a longer one no smaller", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (text, more) => {
      const estimate = estimateTokens(text);
      assert.ok(Number.isSafeInteger(estimate) && estimate >= 0 && estimate <= 2 * text.length);
      assert.ok(estimateTokens(`${text}\n${more}`) >= estimate);
    }),
    { numRuns: 1000 },
  );
  assert.equal(estimateTokens(""), 0);
  assert.ok(estimateTokens("word ".repeat(100)) <= estimateTokens(`\uffff${"word ".repeat(100)}`));
});

test("long texts weigh as much as their parts", () => {
  for (const [, , text] of SAMPLES) {
    const many = 20_000 / text.length;
    const ratio = estimateTokens(text.repeat(many)) / (Math.floor(many) * estimateTokens(text));
    assert.ok(ratio > 0.96 && ratio < 1.04, `${ratio}`);
  }
});

test("of JSON, texts count, and the structure a little", () => {
  const text = SAMPLES[0]![2];
  const content = estimateTokens(text);
  const messages = Array.from({ length: 10 }, () => ({ role: "user", content: text }));
  const estimate = estimateTokensOfJson({ model: "m", messages });
  assert.ok(estimate >= 10 * content && estimate < 10 * (content + 8), `${estimate}`);
  assert.ok(estimateTokensOfJson([1, -2.5, true, null, {}, []]) > 0);
});

test("base64 counts as one image, however large", () => {
  const image = "iVBORw0KGgoAAAANSUhEUgAA".repeat(50_000);
  for (const url of [image, `data:image/png;base64,${image}`]) {
    const estimate = estimateTokensOfJson({ type: "image_url", image_url: { url } });
    assert.ok(estimate > 1_000 && estimate < 1_020, `${estimate}`);
  }
  assert.ok(estimateTokensOfJson("https://example.com/cat.png") < 20);
});

test("a body's estimate is that of its JSON, a large one's close to it", () => {
  const sentence = 'The "gateway" routes requests; 12,345 tokens were counted for 日本語 and 中文 today.\n';
  const chat = (times: number): JsonValue => ({
    model: "m",
    messages: Array.from({ length: 10 }, () => ({ role: "user", content: sentence.repeat(times) })),
  });
  const small = chat(5);
  assert.equal(estimateTokensOfBody(Buffer.from(JSON.stringify(small))), estimateTokensOfJson(small));
  for (const times of [50, 500]) {
    const exact = estimateTokensOfJson(chat(times));
    const sampled = estimateTokensOfBody(Buffer.from(JSON.stringify(chat(times))));
    assert.ok(Math.abs(sampled / exact - 1) < 0.15, `${sampled} for ${exact}`);
  }
});

test("an image of a megabyte in a body counts as an image", () => {
  const data = Buffer.alloc(1_000_000, "0123456789abcdefghij").toString("base64");
  const body = {
    messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: `data:image/png;base64,${data}` } }] }],
  };
  const tokens = estimateTokensOfBody(Buffer.from(JSON.stringify(body)));
  assert.ok(tokens >= 1_000 && tokens < 5_000, String(tokens));
});
