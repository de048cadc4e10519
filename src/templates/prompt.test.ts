import assert from "node:assert/strict";
import { test } from "node:test";
import { compilePrompt } from "./prompt.ts";

const user = (content: string) => ({ role: "user", content }) as const;

test("the messages of a prompt share its steps, so that many of them cannot do what one may not", () => {
  const loop = "{{ range .a }}{{ range $.a }}{{ end }}{{ end }}";
  const data = { a: Array.from({ length: 400 }, () => 1) };
  const texts = Array.from({ length: 50 }, () => user("a text without any template"));
  const alone = compilePrompt({ name: "p", messages: [user(loop), ...texts] });
  assert.equal(alone.messages(data).length, 51, "160,000 iterations are fine, whatever stands beside them");
  const many = compilePrompt({ name: "p", messages: Array.from({ length: 50 }, () => user(loop)) });
  assert.throws(() => many.messages(data), { code: "invalid_request", message: /maxSteps \(20000\)/ });
});

test("all messages together are no longer than four million characters", () => {
  const prompt = compilePrompt({ name: "p", messages: Array.from({ length: 5 }, () => user("{{ .text }}")) });
  assert.equal(prompt.messages({ text: "x".repeat(800_000) }).length, 5);
  assert.throws(() => prompt.messages({ text: "x".repeat(900_000) }), {
    code: "invalid_request",
    message: /longer than 4194304 characters/,
  });
});

test("the variables of all messages, once each", () => {
  const messages = [user("{{ .b }} {{ .a }}"), user("{{ .b }}")];
  assert.deepEqual(compilePrompt({ name: "p", messages }).variables, ["a", "b"]);
});

test("an error shows the place in the template, and nothing of what it says", () => {
  const cases: [content: string, message: RegExp][] = [
    ['{{ if eq .n "a secret" }}x{{ end }}', /^template: p:1:6: error calling eq: incompatible types/],
    ["Never say so.\n{{ .missing }}", /^template: p:2:3: map has no entry for key "missing"$/],
    ['{{ template "secret" . }}{{ define "secret" }}{{ .n.x }}{{ end }}', /^template: p:1:51: can't evaluate field x/],
  ];
  for (const [content, message] of cases) {
    const { messages } = compilePrompt({ name: "p", messages: [user(content)] });
    assert.throws(() => messages({ n: 7 }), { name: "SluiceError", code: "invalid_request", message });
  }
});
