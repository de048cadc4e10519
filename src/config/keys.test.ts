import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SluiceError } from "../lib/errors.ts";
import { ensureFirstKey } from "./first-key.ts";
import { hashKey, newKey } from "./keys.ts";
import { temporaryDirectory } from "./config-helper.test.ts";

test("a key is a prefix and 32 random bytes, and its hash is SHA-256", () => {
  const { key, hash } = newKey();
  assert.match(key, /^sk-sluice-[A-Za-z0-9_-]{43}$/);
  assert.equal(hash, createHash("sha256").update(key).digest("hex"));
  assert.equal(hashKey(key), hash);
  assert.notEqual(newKey().key, key);
});

test("the first key is shown once and only its hash is kept", () => {
  const directory = join(temporaryDirectory(), "data");
  const first = ensureFirstKey(directory);
  assert.ok(first.created !== undefined);
  assert.equal(first.hash, hashKey(first.created));
  assert.deepEqual(ensureFirstKey(directory), { hash: first.hash });
  const path = join(directory, "first-key.json");
  assert.deepEqual(readdirSync(directory), ["first-key.json"]);
  assert.ok(!readFileSync(path, "utf8").includes(first.created));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
});

test("of several processes that start at once exactly one makes the key", async () => {
  const directory = temporaryDirectory();
  const code = `
    import { ensureFirstKey } from ${JSON.stringify(new URL("first-key.ts", import.meta.url).href)};
    process.stdin.once("data", () => console.log(JSON.stringify(ensureFirstKey(${JSON.stringify(directory)}))));
    console.log("ready");`;
  const children = Array.from({ length: 4 }, () => spawn(process.execPath, ["--input-type=module", "-e", code]));
  const outputs = children.map(async (child) => {
    let text = "";
    for await (const chunk of child.stdout) {
      text += String(chunk);
      if (text === "ready\n") {
        ready();
      }
    }
    return JSON.parse(text.slice("ready\n".length)) as { hash: string; created?: string };
  });
  let waiting = children.length;
  function ready(): void {
    waiting -= 1;
    if (waiting === 0) {
      children.forEach((child) => child.stdin.end("go"));
    }
  }
  const keys = await Promise.all(outputs);
  assert.equal(keys.filter(({ created }) => created !== undefined).length, 1);
  assert.equal(new Set(keys.map(({ hash }) => hash)).size, 1);
});

test("a spoilt file and a place that cannot be written say what to do", () => {
  const directory = temporaryDirectory();
  const path = join(directory, "first-key.json");
  for (const text of ["", "{", "[]", '{"hash":"sha256:xyz"}', '{"hash":1}']) {
    writeFileSync(path, text);
    assert.throws(
      () => ensureFirstKey(directory),
      (error) => error instanceof SluiceError && /Delete it to get a new first key/.test(error.message),
      text,
    );
  }
  const file = join(temporaryDirectory(), "file");
  writeFileSync(file, "");
  assert.throws(() => ensureFirstKey(join(file, "data")), /writable/);
  mkdirSync(join(directory, "other/first-key.json"), { recursive: true });
  assert.throws(() => ensureFirstKey(join(directory, "other")), /writable/);
});
