import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChatAnswer, ChatChoice } from "../dialects/form.ts";
import { jsonOf } from "./json-answer.ts";

const OUTPUT = { kind: "json", repairs: 1 } as const;

function answer(text: string, finishReason: ChatChoice["finishReason"] = "stop"): ChatAnswer {
  return { id: "x", model: "m", created: 0, choices: [{ content: [{ kind: "text", text }], finishReason }] };
}

test("JSON is found in what models put around it", () => {
  const json = '{"a":"```\\n"}';
  for (const text of [
    json,
    `\uFEFF${json}\n`,
    `\`\`\`json\n${json}\n\`\`\``,
    `\`\`\`\r\n${json}\r\n\`\`\`\n`,
    `Here it is:\n\n\`\`\`json\n${json}\n\`\`\`\nAnything else?`,
  ]) {
    const worded = jsonOf(answer(text), OUTPUT);
    assert.ok("body" in worded, text);
    assert.deepEqual(JSON.parse(worded.body), { a: "```\n" });
  }
});

test("what is not whole is not asked for again; what is wrong is", () => {
  for (const reason of ["length", "content_filter", "refusal", "context_overflow"] as const) {
    const worded = jsonOf(answer("no", reason), OUTPUT);
    assert.ok("error" in worded && worded.again === undefined, reason);
    assert.match(worded.error.message, /cut off|withheld|refused/);
  }
  for (const text of ["", "no", "{", "```\n```", "``` {}", "[".repeat(100_000) + "]".repeat(100_000)]) {
    const worded = jsonOf(answer(text), OUTPUT);
    assert.ok("error" in worded && worded.again?.most === 1, text);
  }
});
