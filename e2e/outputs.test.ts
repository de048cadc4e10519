/** What a gateway writes to may fail: a full disk, a reader that left or never reads. No request notices. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { cleanEnvironment } from "../src/cli/command-helper.test.ts";
import { Cleanups, MAIN, testKey, until, type Ending } from "./harness.ts";
import { Load } from "./load.ts";
import { FREE_PORTS, SluiceProcess, temporaryDirectory } from "./sluice-process.ts";

const { key, hash } = testKey("outputs");
const cleanups = new Cleanups();
let cwd = "";
before(async () => {
  cwd = await temporaryDirectory(cleanups);
  for (const output of ["stdout", "/dev/full", "access.log"]) {
    const config = {
      accessLog: { output },
      providers: [{ name: "offline", dialect: "openai", kind: "builtin" }],
      models: [{ name: "echo", targets: [{ provider: "offline", model: "echo" }] }],
      consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "main", hash }] }],
    };
    await writeFile(join(cwd, `${output.replaceAll(/\W/g, "")}.yaml`), JSON.stringify(config));
  }
});
after(async () => {
  await cleanups.run();
});

function serve(config: string): string[] {
  return ["serve", ...FREE_PORTS, "--workers", "1", "--config", `${config}.yaml`];
}

/** Requests for a while; all must be served. */
async function requests(t: Ending, port: number, ms: number): Promise<number> {
  const load = new Load(t, { port, key, model: "echo", callers: 4, content: "x".repeat(100), pauseMs: 1 });
  await new Promise((resolve) => setTimeout(resolve, ms));
  await load.stop();
  assert.deepEqual(load.failures(), []);
  return load.results.length;
}

async function metrics(adminUrl: string): Promise<string> {
  return (await fetch(`${adminUrl}/metrics`)).text();
}

test("a full disk: requests go on, the log says it once, and lines are counted", async (t) => {
  const sluice = new SluiceProcess(t, serve("devfull"), { cwd });
  const { port, adminUrl } = await sluice.announced();
  await requests(t, port, 700);
  await until("the complaint", () => (/access log cannot be written.*/.test(sluice.stderr) ? true : undefined));
  assert.match(sluice.stderr, /ENOSPC/);
  assert.equal(sluice.stderr.match(/cannot be written/g)?.length, 1);
  assert.match(await metrics(adminUrl), /^sluice_access_log_lines_total 0$/m);
  sluice.child.kill("SIGTERM");
  assert.equal(await sluice.ended(4_000), 0);
});

test("standard output's reader leaves: `| head -1` does not end the gateway", async (t) => {
  const command = `exec "$0" "$@" | head -1`;
  const shell = spawn("sh", ["-c", command, process.execPath, MAIN, ...serve("stdout")], {
    cwd,
    env: cleanEnvironment({ SLUICE_LOG_LEVEL: "debug" }),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  t.after(() => {
    if (shell.exitCode === null && shell.pid !== undefined) process.kill(-shell.pid, "SIGKILL");
  });
  let said = "";
  let lines = "";
  shell.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  shell.stdout.setEncoding("utf8").on("data", (text: string) => (lines += text));
  const announced = await until("the start", () => /listens on (\S+) \(admin: ([^\s)]+)\)/.exec(said) ?? undefined);
  const port = Number(new URL(announced[1] ?? "").port);
  await requests(t, port, 300);
  await until("the one line", () => (lines.includes("\n") ? true : undefined));
  await requests(t, port, 700);
  await until("the complaint", () => (/access log cannot be written/.test(said) ? true : undefined));
  assert.equal(lines.trim().split("\n").length, 1);
  await requests(t, port, 300);
  const pid = Number(/"pid":(\d+)/.exec(said)?.[1]);
  const closed = once(shell, "close");
  process.kill(pid, "SIGTERM");
  await closed;
  assert.match(said, /stopping/);
});

test("nobody reads standard output or standard error: requests go on, memory stays bounded, it still ends", async (t) => {
  const sluice = new SluiceProcess(t, serve("stdout"), { cwd });
  const { port, adminUrl } = await sluice.announced();
  sluice.child.stdout?.pause();
  sluice.child.stderr?.pause();
  const served = await requests(t, port, 1_000);
  assert.ok(served > 100);
  const resident = Number(/^sluice_process_resident_memory_bytes (\S+)$/m.exec(await metrics(adminUrl))?.[1]);
  assert.ok(resident < 600 * 1024 * 1024, `${resident} bytes`);
  sluice.child.kill("SIGTERM");
  const exited = once(sluice.child, "exit");
  const [code] = (await exited) as [number];
  assert.equal(code, 0);
  sluice.child.stdout?.resume();
  sluice.child.stderr?.resume();
});

test("standard output and standard error are closed from the start or later", async (t) => {
  const sluice = new SluiceProcess(t, serve("stdout"), { cwd });
  const { port } = await sluice.announced();
  sluice.child.stdout?.destroy();
  sluice.child.stderr?.destroy();
  await requests(t, port, 500);
  sluice.child.kill("SIGHUP");
  await requests(t, port, 300);
  sluice.child.kill("SIGTERM");
  assert.equal(await sluice.ended(4_000), 0);
});

test("the access log is rotated: after SIGHUP lines go to the new file, and none is lost", async (t) => {
  const sluice = new SluiceProcess(t, serve("accesslog"), { cwd });
  const { port } = await sluice.announced();
  const path = join(cwd, "access.log");
  const before = await requests(t, port, 300);
  await until("the lines", async () => ((await countLines(path)) === before ? true : undefined));
  await rename(path, `${path}.1`);
  sluice.child.kill("SIGHUP");
  const since = await requests(t, port, 300);
  await until("the lines in both", async () =>
    (await countLines(path)) + (await countLines(`${path}.1`)) === before + since ? true : undefined,
  );
  assert.ok((await countLines(path)) > 0);
  sluice.child.kill("SIGTERM");
  assert.equal(await sluice.ended(4_000), 0);
});

async function countLines(path: string): Promise<number> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split("\n").length - 1;
}
