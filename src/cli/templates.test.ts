import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { sluice } from "./command-helper.test.ts";
import type { Outcome } from "./command-helper.test.ts";
import { lineDiff } from "./line-diff.ts";

const directory = mkdtempSync(join(tmpdir(), "sluice-cli-templates-"));
after(() => {
  rmSync(directory, { recursive: true });
});
const config = join(directory, "sluice.yaml");
writeFileSync(
  config,
  `
providers: [{ name: idc, dialect: openai, nodes: ["http://127.0.0.1:1/v1"] }]
models: [{ name: index, targets: [{ provider: idc, model: m }] }]
consumers: []
templates:
  - name: summary
    published: 2
    labels: { production: [{ version: 2, weight: 90 }, { version: 3, weight: 10 }] }
    versions:
      - { version: 2, prompt: { model: index, messages: [{ role: user, content: "Sum up: {{ .text }}" }] } }
      - version: 3
        prompt:
          model: index
          parameters: { temperature: 0 }
          input: { type: object, required: [text], properties: { text: { type: string } } }
          messages: [{ role: user, content: "Sum up:\\n{{ .text }}" }]
domains:
  - host: "*"
    routes:
      - { path: /v1/live, middlewares: [{ name: prompt_template, options: { template: summary@production } }] }
      - { path: /v1/own, middlewares: [{ name: v1_chat_template, options: { provider: idc, model_name: q, prompt_template: "{{ .a }}" } }] }
`,
);
const input = join(directory, "input.json");
writeFileSync(input, '{"text":"from a file"}');

function templates(...parameters: string[]): Outcome {
  return sluice(["templates", ...parameters, "--config", config]);
}

test("render: what a prompt makes of an input, by version, label or route", () => {
  const second = { prompt: "summary@2", weight: 1, model: "index" };
  const request = { messages: [{ role: "user", content: 'Sum up: a "b"' }] };
  const { status, stdout } = templates("render", "summary", "--input", '{"text":"a \\"b\\""}');
  assert.equal(status, 0);
  assert.deepEqual(JSON.parse(stdout), { ...second, request });
  const live = templates("render", "/v1/live", "-i", `@${input}`).stdout.split(/(?<=^\})\n/m);
  assert.deepEqual(JSON.parse(live[1]!), {
    prompt: "summary@3",
    weight: 10,
    model: "index",
    request: { temperature: 0, messages: [{ role: "user", content: "Sum up:\nfrom a file" }] },
  });
  for (const name of ["v1-own", "/v1/own"]) {
    const own = JSON.parse(templates("render", name, "-i", '{"a":9007199254740993}').stdout) as object;
    const messages = [{ role: "user", content: "9007199254740993" }];
    assert.deepEqual(own, { prompt: name, weight: 1, provider: "idc", model: "q", request: { messages } });
  }
});

test("render: what is wrong is said, with exit status 1", () => {
  const cases: [parameters: string[], complaint: RegExp][] = [
    [["summary"], /executing "messages" at <\.text>: map has no entry for key "text"/],
    [["summary@3"], /^The input is not what this route takes\. text: /],
    [["summary@9"], /there is no template summary@9/],
    [["/v1/none"], /no route with a prompt called \/v1\/none/],
    [["summary", "-i", "["], /the input cannot be read: .*line 1/],
    [["summary", "-i", "@/none/such"], /ENOENT/],
  ];
  for (const [parameters, complaint] of cases) {
    const { status, stdout, stderr } = templates("render", ...parameters);
    assert.deepEqual([status, stdout], [1, ""], parameters.join(" "));
    assert.match(stderr, complaint);
  }
});

test("diff: what is different between two versions; a label that is several must be made one", () => {
  const { status, stdout } = templates("diff", "summary", "summary@3");
  assert.equal(status, 0);
  assert.equal(
    stdout,
    `  model: index
+ parameters:
+   temperature: 0
+ input:
+   type: object
+   required:
+     - text
+   properties:
+     text:
+       type: string
  messages:
    - role: user
-     content: "Sum up: {{ .text }}"
+     content: |-
+       Sum up:
+       {{ .text }}
`,
  );
  assert.deepEqual(templates("diff", "summary@2", "summary"), { status: 0, stdout: "", stderr: "" });
  const several = templates("diff", "summary@production", "summary");
  assert.deepEqual(
    [several.status, several.stderr],
    [1, "summary@production is summary@2 and summary@3: name one of them\n"],
  );
});

test("unchanged lines far from a change are left out", () => {
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index}`);
  const changed = lines.with(10, "changed").toSpliced(25, 1);
  assert.equal(
    lineDiff(lines.join("\n"), changed.join("\n")),
    `…
  line 7
  line 8
  line 9
- line 10
+ changed
  line 11
  line 12
  line 13
…
  line 22
  line 23
  line 24
- line 25
  line 26
  line 27
  line 28
…
`,
  );
});
