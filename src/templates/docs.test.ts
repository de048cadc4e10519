/** The examples of docs/templates.md are what they say. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { compileSimpleTemplate } from "./simple-template.ts";
import { compileTemplate } from "./template.ts";
import type { Value } from "./values.ts";

const text = readFileSync(join(import.meta.dirname, "../../docs/templates.md"), "utf8");
const input = JSON.parse(/```json\n([^`]+)```/.exec(text)![1]!) as Value;

/** Rows of tables that end in two pieces of code: a template and its output. */
function examples(): [string, string][] {
  const rows = [...text.matchAll(/^\| (?:[^`|]+\| )?`([^`\n]*\{\{[^`\n]*)` \| `([^`\n]*)` \|$/gm)];
  return rows.map((row) => [row[1]!.replaceAll("\\|", "|"), row[2]!.replaceAll("\\|", "|")]);
}

test("examples give what the guide says", () => {
  const found = examples();
  assert.ok(found.length >= 18, `${found.length} examples`);
  for (const [source, output] of found) {
    assert.equal(compileTemplate(source, { name: "reply" }).render(input), output, source);
  }
});

test("the sentences around them too", () => {
  const render = (source: string) => compileTemplate(source, { name: "reply" }).render(input);
  assert.throws(() => render("{{ .user.mail }}"), {
    message: /```\n(template: reply.*)\n```/.exec(text)![1]!,
  });
  assert.equal(render('{{ index .user "mail" | default "none" }}'), "none");
  assert.equal(render("{{ .question | truncate 4 }}"), "What");
  assert.equal(
    compileSimpleTemplate("{{ user.name }}: {{reply_list}}", { name: "s" }).render(input),
    'Ann: ["你好","{dyn:1}"]',
  );
  assert.ok(text.includes('`{{ user.name }}: {{reply_list}}` gives `Ann: ["你好","{dyn:1}"]`'));
});
