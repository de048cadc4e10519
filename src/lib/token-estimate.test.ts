import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { scanObject } from "./json-scan.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import { estimatePrompt, estimateTokens, estimateTokensOfBody, PROMPT_MEMBERS } from "./token-estimate.ts";

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

function ofText(body: string): number {
  const bytes = Buffer.from(body);
  return estimateTokensOfBody(bytes, scanObject(bytes, PROMPT_MEMBERS).members);
}

const ofBody = (body: JsonObject): number => ofText(JSON.stringify(body));
const user = (content: JsonValue): JsonObject => ({ messages: [{ role: "user", content }] });

test("of a request the conversation counts and what the chat template adds, not its JSON", () => {
  const text = SAMPLES[0]![2];
  const content = estimateTokens(text);
  const messages = Array.from({ length: 10 }, () => ({ role: "user", content: text }));
  const estimate = ofBody({ messages });
  assert.ok(estimate >= 10 * content && estimate < 10 * (content + 5) + 5, `${estimate} for ${content}`);
  const blocks = messages.map(({ role }) => ({ role, content: [{ type: "text", text }] }));
  assert.equal(ofBody({ messages: blocks }), estimate, "content in blocks is the same content");
  const settings = { model: "a-model-with-a-long-name", temperature: 0.25, stop: ["never", "ever"], user: text };
  assert.equal(ofBody({ ...settings, messages, metadata: { text } }), estimate, "settings are not read by the model");
  assert.equal(ofText(JSON.stringify({ messages }, null, 4)), estimate, "white space is not either");
  assert.equal(ofBody(user("Hi")), 8, "as OpenAI counts it");
});

test("escapes count as what they mean", () => {
  const text = 'He said "no" \\ and\nwent\tto 東京.';
  const plain = ofBody(user(text));
  const escaped = JSON.stringify(user(text)).replace(/[^ -~]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
  assert.ok(escaped.includes("\\u6771"));
  assert.equal(ofText(escaped), plain);
});

test("tool calls: name and arguments count, ids do not", () => {
  const call = (id: string, argument: string): JsonObject => ({
    messages: [
      { role: "assistant", tool_calls: [{ id, type: "function", function: { name: "find", arguments: argument } }] },
      { role: "tool", tool_call_id: id, content: "ok" },
    ],
  });
  assert.equal(ofBody(call("call_1", "{}")), ofBody(call(`call_${"x1".repeat(50)}`, "{}")));
  const more = JSON.stringify({ city: "Paris", days: 3 });
  const added = ofBody(call("a", more)) - ofBody(call("a", "{}"));
  assert.ok(added >= 6 && added <= 12, String(added));
  const use = (input: JsonObject): JsonObject => ({
    messages: [{ role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "find", input }] }],
  });
  const object = ofBody(use({ city: "Paris", days: 3 })) - ofBody(use({}));
  assert.ok(object >= 6 && object <= 12, String(object));
});

test("an array of tokens counts them", () => {
  assert.equal(ofBody({ input: Array.from({ length: 500 }, (_, index) => index * 100) }), 500);
});

function png(width: number, height: number, bytes: number): string {
  const image = Buffer.alloc(bytes, 0x5a);
  image.write("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1");
  image.writeUInt32BE(width, 16);
  image.writeUInt32BE(height, 20);
  return image.toString("base64");
}

const imageUrl = (url: string, more: JsonObject = {}): JsonValue => [
  { type: "text", text: "What is this?" },
  { type: "image_url", image_url: { url, ...more } },
];

test("images count by what the vendors publish for their size, whatever their bytes", () => {
  const text = ofBody(user("What is this?"));
  const near = (actual: number, expected: number): void => {
    assert.ok(Math.abs(actual - expected) <= 2, `${actual}, not ${expected}`);
  };
  for (const bytes of [400, 20_000, 2_000_000]) {
    const data = png(1_024, 1_024, bytes);
    // https://platform.openai.com/docs/guides/images-vision: 765 for 1,024 by 1,024, 1,105 for 2,048 by 4,096
    const url = `data:image/png;base64,${data}`;
    near(ofBody(user(imageUrl(url))) - text, 765);
    near(ofBody(user(imageUrl(url, { detail: "low" }))) - text, 85);
    const tall = `data:image/png;base64,${png(2_048, 4_096, bytes)}`;
    near(ofBody(user(imageUrl(tall))) - text, 1_105);
    const source = { type: "base64", media_type: "image/png", data };
    const estimate =
      ofBody(
        user([
          { type: "text", text: "What is this?" },
          { type: "image", source },
        ]),
      ) - text;
    near(estimate, Math.ceil((1_024 * 1_024) / 750));
  }
  assert.equal(ofBody(user(imageUrl("https://example.com/cat.png"))) - text, 1_000);
});

test("what of an estimate is images and files is told apart, also in samples", () => {
  const ofPrompt = (content: JsonValue): { tokens: number; mediaTokens: number } => {
    const bytes = Buffer.from(JSON.stringify(user(content)));
    return estimatePrompt(bytes, scanObject(bytes, PROMPT_MEMBERS).members);
  };
  assert.equal(ofPrompt("What is this?").mediaTokens, 0);
  assert.equal(ofPrompt([{ type: "text", text: "What? ".repeat(20_000) }]).mediaTokens, 0);
  for (const bytes of [400, 20_000, 2_000_000]) {
    const url = `data:image/png;base64,${png(1_024, 1_024, bytes)}`;
    assert.equal(ofPrompt(imageUrl(url)).mediaTokens, 765);
    assert.equal(ofPrompt(imageUrl(url, { detail: "low" })).mediaTokens, 85);
    const much = [{ type: "text", text: "What? ".repeat(20_000) }, ...(imageUrl(url) as JsonValue[])];
    const { tokens, mediaTokens } = ofPrompt(much);
    assert.ok(bytes < 4_096 || mediaTokens >= 765, `${mediaTokens}`);
    assert.ok(tokens - mediaTokens > 20_000, `${tokens} of which ${mediaTokens}`);
  }
  assert.equal(ofPrompt(imageUrl("https://example.com/cat.png")).mediaTokens, 1_000);
  assert.equal(ofPrompt([{ type: "file", file: { file_id: "file-1" } }]).mediaTokens, 1_000);
});

test("files: pages of a PDF, seconds of sound, characters of text", () => {
  const file = (type: string, data: Buffer): number =>
    ofBody(user([{ type: "file", file: { file_data: `data:${type};base64,${data.toString("base64")}` } }]));
  const pdf = Buffer.concat([Buffer.from("%PDF-1.7\n"), Buffer.alloc(350_000, 7)]);
  assert.ok(Math.abs(file("application/pdf", pdf) - 8_000) < 20);
  const text = Buffer.from("All work and no play. ".repeat(1_000));
  assert.ok(Math.abs(file("text/plain", text) - text.length / 4) < 20);
  const wave = Buffer.alloc(480_044);
  wave.write("RIFF");
  wave.write("WAVE", 8);
  wave.writeUInt32LE(48_000, 28);
  const sound = { type: "input_audio", input_audio: { data: wave.toString("base64"), format: "wav" } };
  assert.ok(Math.abs(ofBody(user([sound])) - 100) < 20);
});

test("a thinking block's signature is not text, nor an image", () => {
  const thinking = (signature: string): JsonObject => ({
    messages: [{ role: "assistant", content: [{ type: "thinking", thinking: "Let me see.", signature }] }],
  });
  assert.equal(ofBody(thinking("Eq".repeat(2_000))), ofBody(thinking("Eq")));
});

test("a large conversation's estimate, of samples, is close to that of its parts", () => {
  const sentence = 'The "gateway" routes requests; 12,345 tokens were counted for 日本語 and 中文 today.\n';
  for (const [messages, times] of [
    [10, 50],
    [10, 500],
    [1_000, 2],
    [1, 2_000],
  ] as const) {
    const content = sentence.repeat(times);
    const part = ofBody(user(sentence.repeat(Math.min(times, 50)))) - 8;
    const exact = messages * (4 + part * (times / Math.min(times, 50)));
    const all = Array.from({ length: messages }, () => ({ role: "user", content }));
    const sampled = ofBody({ messages: all });
    assert.ok(Math.abs(sampled / exact - 1) < 0.05, `${sampled} for ${exact}`);
    const data = png(1_024, 1_024, 3_000_000);
    const source = { type: "base64", media_type: "image/png", data };
    const withImage = ofBody({ messages: [...all, { role: "user", content: [{ type: "image", source }] }, ...all] });
    assert.ok(Math.abs(withImage / (2 * exact + 1_400) - 1) < 0.05, `${withImage} for ${2 * exact} and an image`);
  }
});

test("any body has a finite estimate", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(...PROMPT_MEMBERS), (value, name) => {
      const estimate = ofText(JSON.stringify({ [name]: value }));
      assert.ok(Number.isSafeInteger(estimate) && estimate >= 0, String(estimate));
    }),
    { numRuns: 1_000 },
  );
});
