// That the release is what users get: packed, run by npx and installed elsewhere, without the repository around it.
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };

/** As on a machine where this node is the installed one. */
const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}` };

let directory: string;
let tarball: string;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "sluice-package-"));
  await run("npm", ["pack", "--loglevel=error", "--pack-destination", directory], { cwd: root, env });
  tarball = join(directory, `sluice-${version}.tgz`);
});

after(() => rmSync(directory, { recursive: true, force: true }));

test("the package holds the program and its papers, and no tests or sources", async () => {
  const { stdout } = await run("tar", ["-tvzf", tarball]);
  const files = new Map<string, string>();
  for (const line of stdout.trim().split("\n")) {
    const [mode = "", ...rest] = line.split(/\s+/);
    files.set(rest.at(-1)?.replace(/^package\//, "") ?? "", mode);
  }
  for (const path of ["package.json", "LICENSE", "README.md", "CHANGELOG.md", "dist/main.js"]) {
    assert.ok(files.has(path), path);
  }
  assert.deepEqual(
    [...files.keys()].filter((path) => /\.test\.|\.ts$/.test(path)),
    [],
  );
  assert.equal(files.get("dist/main.js"), "-rwxr-xr-x");
});

test("npx runs the packed sluice", async () => {
  const npx = ["--yes", "--loglevel=error", "--package", tarball, "sluice", "--version"];
  const { stdout } = await run("npx", npx, { cwd: directory, env });
  assert.equal(stdout.trim(), version);
});

test("the installed sluice serves, with its worker threads, and stops", async (t) => {
  writeFileSync(join(directory, "package.json"), JSON.stringify({ name: "user-of-sluice", private: true }));
  await run("npm", ["install", "--loglevel=error", tarball], { cwd: directory, env });
  const listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--workers", "1"];
  const gateway = spawn(join(directory, "node_modules/.bin/sluice"), ["serve", ...listen], {
    cwd: directory,
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  t.after(() => gateway.kill("SIGKILL"));
  const said = await announcement(gateway);
  const key = /API key.*?: (\S+)/.exec(said)?.[1];
  const url = /listens on (\S+)/.exec(said)?.[1];
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "echo", messages: [{ role: "user", content: "Hello, Sluice!" }] }),
  });
  assert.equal(response.status, 200, said);
  assert.match(await response.text(), /Hello, Sluice!/);

  const exited = once(gateway, "exit");
  gateway.kill("SIGTERM");
  assert.deepEqual(await exited, [0, null]);
});

/** What the gateway says of itself when it has started, up to its hint on configuration. */
async function announcement(gateway: ChildProcess): Promise<string> {
  assert.ok(gateway.stderr);
  let said = "";
  for await (const line of createInterface({ input: gateway.stderr, signal: AbortSignal.timeout(20_000) })) {
    said += `${line}\n`;
    if (line.startsWith("Your own models")) return said;
  }
  throw new Error(`the gateway did not start: ${said}`);
}
