import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { Findings } from "./findings.ts";
import { readPlainYaml } from "./plain-yaml.ts";
import { Substitutor } from "./substitute.ts";
import { readYaml } from "./yaml.ts";

const substitutor = new Substitutor({}, "/");

/** What the general parser makes of the text; undefined if it finds anything wrong. */
function readCarefully(text: string): { value: unknown } | undefined {
  const findings = new Findings();
  const { value } = readYaml(text, substitutor, findings);
  return findings.errors.length === 0 ? { value } : undefined;
}

/** The quick reader may give up, but what it accepts the general parser must accept, and mean the same. */
function agrees(text: string): boolean {
  const plain = readPlainYaml(text);
  if (plain === undefined || text.includes("${")) {
    return false;
  }
  assert.deepStrictEqual(readCarefully(text), { value: plain.value }, text);
  return true;
}

const example = readFileSync(new URL("../../examples/vllm-and-fallback.yaml", import.meta.url), "utf8");

test("it reads what configurations are made of", () => {
  const text = `# comment
gateway: main # comment
server: { listen: 0.0.0.0:8080, drainTimeout: 10m, tls: { cert: a#b } }
lists:
- a
-   b: 1
    c: [ 429, "5xx", 'x y', { d: "*" } ]
- 
  e: ~x
nested:
  deeper:
    - name: x
      url: http://a.b:80/c?d=e
    - -1.5
empty:
none: null
yes: true
"quoted key": 'it # is'
`;
  assert.ok(agrees(text.replace("~x", "x~")));
  assert.deepEqual(readPlainYaml(text.replace("~x", "x~"))?.value, {
    gateway: "main",
    server: { listen: "0.0.0.0:8080", drainTimeout: "10m", tls: { cert: "a#b" } },
    lists: ["a", { b: 1, c: [429, "5xx", "x y", { d: "*" }] }, { e: "x~" }],
    nested: { deeper: [{ name: "x", url: "http://a.b:80/c?d=e" }, -1.5] },
    empty: null,
    none: null,
    yes: true,
    "quoted key": "it # is",
  });
});

test("it gives up on everything that is not plain", () => {
  const texts = [
    "a: &x 1\nb: *x",
    "a: |\n  text",
    "a: !tag x",
    "a: 1\na: 2",
    "a: { b: 1, b: 2 }",
    "a:\tb",
    "a: b\r\n",
    "a: x\n  y",
    'a: "x\n  y"',
    'a: "\\n"',
    "a: 'it''s'",
    "a: 0x10",
    "a: 1e3",
    "a: 017",
    "a: .inf",
    "- a",
    "a",
    "",
    "---\na: 1",
    "a: [ 1,\n 2 ]",
    "a: b: c",
    "<<: { a: 1 }",
    "__proto__: 1",
    "a:\n    b: 1\n  c: 2",
    ` a: ${"[".repeat(100)}`,
    `a: ${"[".repeat(100)}${"]".repeat(100)}`,
    "a: \u0000",
  ];
  for (const text of texts) {
    assert.equal(readPlainYaml(text), undefined, text);
  }
});

const fragment = fc.constantFrom(
  ...[
    "a",
    "key",
    "a: ",
    "b: ",
    "c:",
    "\n",
    "\n  ",
    "\n    ",
    "\n- ",
    "\n  - ",
    "\n  -",
    " ",
    "  ",
    "- ",
    "{ ",
    "{",
    " }",
    "}",
  ],
  ...[
    "[ ",
    "[",
    "]",
    ", ",
    ",",
    "'",
    '"',
    "#",
    " # x",
    "1",
    "0",
    "10m",
    "0.5",
    "-",
    ".",
    "1e3",
    "0x1",
    "true",
    "null",
    "~",
    "é",
  ],
  ...[
    "|",
    "&x",
    "*",
    "?",
    ":",
    ": ",
    "://",
    "@",
    "$",
    "!",
    ">",
    "%",
    "\\",
    "---",
    "...",
    "'x'",
    '"y"',
    "_",
    "+1",
    "\t",
    "\u2028",
  ],
);

const line = fc
  .tuple(
    fc.constantFrom("", "  ", "    ", "      ", " "),
    fc.constantFrom("", "- ", "- - ", "-"),
    fc.constantFrom("a: ", "b: ", "c:", '"e": ', "'f': ", ""),
    fc.constantFrom(
      ...[
        "x",
        "1",
        "[ a, b ]",
        "{ a: 1, b: x }",
        '"q"',
        "'s'",
        "",
        "# c",
        "x # c",
        "x#c",
        "http://a:80/b",
        "a: b",
        "[a,b]",
        "{a: b}",
      ],
      ...[
        "{a: [1, {b: c}]}",
        "300s",
        "10 m",
        "x:y",
        "[ a: b ]",
        "[]",
        "{}",
        "[a, ]",
        '"a"#',
        "- x",
        "-x",
        "1_000",
        "08",
        "0.",
        "a,b",
      ],
      ...[
        "a]b",
        "{a: b}c",
        "[a]#",
        "{ a:b }",
        "{ a: http://x }",
        "[ x:, y]",
        "=",
        "<<: a",
        "Yes",
        "~x",
        "null ",
        "é ü",
        "{ 'a':1 }",
      ],
    ),
  )
  .map((parts) => parts.join(""));

test("whatever it accepts, the general parser reads the same", () => {
  let accepted = 0;
  const check = (text: string): void => {
    accepted += agrees(text) ? 1 : 0;
  };
  const fragments = fc.array(fragment, { maxLength: 14 }).map((parts) => parts.join(""));
  const lines = fc.array(line, { maxLength: 8 }).map((parts) => parts.join("\n"));
  fc.assert(fc.property(fragments, check), { numRuns: 10_000 });
  fc.assert(
    fc.property(fragments, (text) => check(`a: ${text}`)),
    { numRuns: 10_000 },
  );
  fc.assert(fc.property(lines, check), { numRuns: 10_000 });
  assert.ok(accepted > 500, `only ${accepted} texts were accepted, so this says little`);
});

test("a real configuration with a slip anywhere is read as the general parser reads it, or not at all", () => {
  const text = example.replaceAll("${", "x{");
  assert.ok(agrees(text));
  const slip = fc.tuple(
    fc.nat(text.length - 1),
    fc.nat(3),
    fc.constantFrom("", " ", "\n", ":", "-", "#", '"', "{", "}", "]", ",", "'", "  ", "\n  ", "x"),
  );
  const mutated = slip.map(([at, removed, inserted]) => text.slice(0, at) + inserted + text.slice(at + removed));
  fc.assert(
    fc.property(mutated, (changed) => void agrees(changed)),
    { numRuns: 300 },
  );
});
