// The bootstrap, in a repository of its own with a stand-in for the program.
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const program = `
let signals = 0;
process.on("SIGTERM", (signal) => {
  console.log(signal);
  if (++signals === 2) process.exit(7);
});
console.log(JSON.stringify(process.argv.slice(2)));
if (process.argv.includes("stay")) setInterval(() => {}, 1000);
`;

let directory: string;
let bootstrap: string;

before(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-bootstrap-"));
  bootstrap = join(directory, "scripts/run.mjs");
  for (const folder of ["scripts", "src", "node_modules"]) mkdirSync(join(directory, folder));
  copyFileSync(join(import.meta.dirname, "run.mjs"), bootstrap);
  writeFileSync(join(directory, ".node-version"), `${process.versions.node}\n`);
  writeFileSync(join(directory, "src/main.ts"), program);
  const lockfile = JSON.stringify({ name: "x", lockfileVersion: 3, packages: { "": { name: "x" } } });
  writeFileSync(join(directory, "package.json"), '{ "name": "x", "type": "module" }');
  writeFileSync(join(directory, "package-lock.json"), lockfile);
  writeFileSync(join(directory, "node_modules/.package-lock.json"), lockfile);
});

after(() => rmSync(directory, { recursive: true }));

test("start passes its arguments to serve, sluice to any command", () => {
  for (const [command, expected] of [
    ["start", '["serve","--config","a b"]\n'],
    ["sluice", '["--config","a b"]\n'],
  ]) {
    const { status, stdout } = spawnSync(process.execPath, [bootstrap, command ?? "", "--config", "a b"], {
      encoding: "utf8",
    });
    assert.equal(stdout, expected);
    assert.equal(status, 0);
  }
});

test("a signal reaches the command once, however many copies come at once; so does the second one, and the exit code", async () => {
  const child: ChildProcessByStdio<null, Readable, null> = spawn(process.execPath, [bootstrap, "start", "stay"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
  const exited = once(child, "exit");
  await until(() => printed.includes("stay"));
  child.kill("SIGTERM");
  await sleep(5);
  child.kill("SIGTERM");
  await until(() => printed.includes("SIGTERM"));
  await sleep(200);
  assert.equal(printed.match(/SIGTERM/g)?.length, 1);
  child.kill("SIGTERM");
  assert.deepEqual(await exited, [7, null]);
});

test("without a way to a registry it says what to do, and leaves nothing half-installed", () => {
  writeFileSync(join(directory, ".node-version"), "99.0.0\n");
  const env = { ...process.env, npm_config_registry: "http://127.0.0.1:9/", npm_config_fetch_retries: "0" };
  const { status, stderr } = spawnSync(process.execPath, [bootstrap, "start"], { encoding: "utf8", env });
  writeFileSync(join(directory, ".node-version"), `${process.versions.node}\n`);
  assert.equal(status, 1);
  assert.match(stderr, /Give this machine a way to an npm registry.*or install Node 99\.0\.0 by hand/);
  assert.match(stderr, /ECONNREFUSED/);
  assert.doesNotMatch(stderr, / at /);
  assert.deepEqual(
    readdirSync(join(directory, ".runtime")).filter((name) => name !== "compile-cache"),
    [],
  );
});

test("dependencies are installed when they are not those of the lockfile, and only then", () => {
  const start = () => spawnSync(process.execPath, [bootstrap, "start"], { encoding: "utf8" });
  assert.deepEqual([start().stderr, start().status], ["", 0]);
  rmSync(join(directory, "node_modules"), { recursive: true });
  const { status, stderr } = start();
  assert.match(stderr, /installing dependencies/);
  assert.equal(status, 0, stderr);
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, "waited for too long");
    await sleep(10);
  }
}
