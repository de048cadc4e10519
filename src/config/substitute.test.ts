import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { SubstitutionError, Substitutor } from "./substitute.ts";

const directory = mkdtempSync(join(tmpdir(), "sluice-substitute-"));
after(() => {
  rmSync(directory, { recursive: true });
});

const environment = { KEY: "sk-1", EMPTY: "", TRICKY: "${KEY}: [a, {b: c}]\n$${x}" };
const substitutor = new Substitutor(environment, directory);

test("variables, defaults and escapes are replaced, everything else stays", () => {
  const cases: [string, string][] = [
    ["plain", "plain"],
    ["${KEY}", "sk-1"],
    ["a${KEY}b${KEY}c", "ask-1bsk-1c"],
    ["${EMPTY}", ""],
    ["${NONE:-x}", "x"],
    ["${EMPTY:-x}", "x"],
    ["${KEY:-x}", "sk-1"],
    ["${NONE:-}", ""],
    ["$${KEY}", "${KEY}"],
    ["$$${KEY}", "$${KEY}"],
    ["$KEY $ {KEY} $", "$KEY $ {KEY} $"],
    ["${KEY}$${KEY}", "sk-1${KEY}"],
  ];
  for (const [text, expected] of cases) {
    assert.equal(substitutor.apply(text), expected, text);
  }
});

test("what was put in is text: not substituted again", () => {
  assert.equal(substitutor.apply("${TRICKY}"), environment.TRICKY);
});

test("what cannot be replaced is an error that names it and shows no value", () => {
  const cases: [string, RegExp][] = [
    ["${NONE}", /environment variable NONE, which is not set/],
    ["${KEY} and ${NONE}", /NONE/],
    ["${KEY", /without `}`/],
    ["${}", /none of/],
    ["${KEY-x}", /none of/],
    ["${1A}", /none of/],
    ["${file:nowhere}", /file nowhere, which does not exist/],
    ["${file:.}", /not a regular file/],
    ["${toString}", /toString/],
  ];
  for (const [text, pattern] of cases) {
    assert.throws(
      () => substitutor.apply(text),
      (error) => error instanceof SubstitutionError && pattern.test(error.message) && !error.message.includes("sk-1"),
      text,
    );
  }
});

test("a file is its text without the newline at its end, relative to the configuration, and read once", () => {
  const path = join(directory, "secret");
  writeFileSync(path, "s3cret\r\n");
  const own = new Substitutor({}, directory);
  assert.equal(own.apply("${file:secret}"), "s3cret");
  writeFileSync(path, "other");
  assert.equal(own.apply(`\${file:${path}}`), "s3cret");
  assert.deepEqual(
    own.files.map((file) => file.path),
    [path],
  );
  assert.match(own.files[0]?.digest ?? "", /^[0-9a-f]{64}$/);
});

test("endless, binary and oversized files are refused", () => {
  const own = new Substitutor({}, directory);
  assert.throws(() => own.apply("${file:/dev/zero}"), /not a regular file/);
  writeFileSync(join(directory, "binary"), Buffer.from([1, 0, 2]));
  assert.throws(() => own.apply("${file:binary}"), /binary/);
  writeFileSync(join(directory, "large"), "x".repeat(1024 * 1024 + 1));
  assert.throws(() => own.apply("${file:large}"), /larger than 1 MiB/);
});

test("within data every string is substituted, and only strings", () => {
  const data = { a: "${KEY}", b: [1, "x${KEY}", { c: null, d: true, e: "${EMPTY}" }] };
  substitutor.applyWithin(data);
  assert.deepEqual(data, { a: "sk-1", b: [1, "xsk-1", { c: null, d: true, e: "" }] });
});
