import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { mkdir, mkdtemp, open, readFile, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { createUsageBuffer, INTEGER_FIELD } from "../ledger/usage-layout.ts";
import { UsageReader } from "../ledger/usage-reader.ts";
import { UsageWriter } from "../ledger/usage-writer.ts";
import { NameTable } from "../lib/name-table.ts";
import { AccessLog } from "./access-log.ts";
import type { AccessLogOptions } from "./access-log.ts";

const FAST = { flushMs: 2, retryMs: 5, maxRetryMs: 20, quietMs: 30 };

async function directory(context: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "sluice-access-log-"));
  context.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** An access log with what it told the process log, fed through a usage table. */
function setUp(context: TestContext, options: Partial<AccessLogOptions> = {}) {
  const messages: { level: "error" | "info"; details: Record<string, unknown> }[] = [];
  const names = new NameTable();
  const log = new AccessLog({
    names,
    log: {
      error: (details: object) => void messages.push({ level: "error", details: { ...details } }),
      info: (details: object) => void messages.push({ level: "info", details: { ...details } }),
    },
    appender: FAST,
    rotationCheckMs: 20,
    ...options,
  });
  context.after(() => log.close());
  const buffer = createUsageBuffer(16);
  const writer = new UsageWriter(buffer);
  const reader = new UsageReader(buffer);
  const write = (requestId: string): void => {
    const slot = writer.open(requestId, 1_790_000_000_123);
    writer.setInteger(slot, INTEGER_FIELD.model, names.id("index"));
    writer.close(slot, "ok", 200, 1);
    reader.drain(log.record, 1);
  };
  const value = (name: string): number =>
    log.source().find((family) => family.name === name)?.samples[0]?.value ?? Number.NaN;
  const counts = () => ({
    written: value("sluice_access_log_lines_total"),
    dropped: value("sluice_access_log_dropped_total"),
  });
  return { log, write, messages, counts };
}

/** The request ids in a log file, each of whose lines must be whole. */
async function idsIn(path: string): Promise<string[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  assert.ok(text === "" || text.endsWith("\n"));
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { requestId: string }).requestId);
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `never: ${what}`);
    await setTimeout(3);
  }
}

function ids(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `r${from + index}`);
}

test("lines go to the file in order, and closing writes the rest", async (context) => {
  const path = join(await directory(context), "access.log");
  const { log, write, counts } = setUp(context, { appender: { flushMs: 60_000 } });
  await log.setOutput(path);
  for (const id of ids(0, 2_000)) write(id);
  await log.close();
  assert.deepEqual(await idsIn(path), ids(0, 2_000));
  assert.deepEqual(counts(), { written: 2_000, dropped: 0 });
  write("late");
  assert.equal((await idsIn(path)).length, 2_000);
});

test("an existing file is appended to", async (context) => {
  const path = join(await directory(context), "access.log");
  await writeFile(path, '{"requestId":"before"}\n');
  const { log, write } = setUp(context);
  await log.setOutput(path);
  write("after");
  await log.close();
  assert.deepEqual(await idsIn(path), ["before", "after"]);
});

test("the output changes at run time, and none is none", async (context) => {
  const path = await directory(context);
  const { log, write } = setUp(context);
  write("nowhere");
  await log.setOutput(join(path, "a.log"));
  write("a");
  const changed = log.setOutput(join(path, "b.log"));
  write("b");
  await changed;
  await log.setOutput("none");
  write("nowhere again");
  await log.close();
  assert.deepEqual([await idsIn(join(path, "a.log")), await idsIn(join(path, "b.log"))], [["a"], ["b"]]);
});

test("a file that is renamed away is noticed: the rest goes to a new one, no line is lost or doubled", async (context) => {
  const path = join(await directory(context), "access.log");
  const { log, write } = setUp(context);
  await log.setOutput(path);
  for (const id of ids(0, 50)) write(id);
  await until(async () => (await idsIn(path)).length === 50, "first lines");
  await rename(path, `${path}.1`);
  for (let index = 50; index < 100; index++) {
    write(`r${index}`);
    await setTimeout(2);
  }
  await log.close();
  const both = [...(await idsIn(`${path}.1`)), ...(await idsIn(path))];
  assert.deepEqual(both, ids(0, 100));
  assert.ok((await idsIn(path)).length > 0);
});

test("reopen goes over to the new file at once", async (context) => {
  const path = join(await directory(context), "access.log");
  const { log, write } = setUp(context, { rotationCheckMs: 60_000 });
  await log.setOutput(path);
  write("old");
  await until(async () => (await idsIn(path)).length === 1, "first line");
  await rename(path, `${path}.1`);
  log.reopen();
  write("new");
  await log.close();
  assert.deepEqual([await idsIn(`${path}.1`), await idsIn(path)], [["old"], ["new"]]);
});

test("a missing directory is said once, lines wait for it, and all is written when it is there", async (context) => {
  const path = join(await directory(context), "logs");
  const { log, write, messages, counts } = setUp(context);
  await log.setOutput(join(path, "access.log"));
  for (const id of ids(0, 20)) write(id);
  await until(() => messages.length > 0, "a fault");
  await setTimeout(60);
  assert.deepEqual(
    messages.map(({ level }) => level),
    ["error"],
  );
  assert.match(String(messages[0]?.details["err"]), /ENOENT/);
  await mkdir(path);
  await until(() => messages.length > 1, "a recovery");
  assert.deepEqual(messages[1], { level: "info", details: { output: join(path, "access.log"), droppedLines: 0 } });
  assert.deepEqual(await idsIn(join(path, "access.log")), ids(0, 20));
  assert.deepEqual(counts(), { written: 20, dropped: 0 });
});

test("disk full: said once, the buffer is bounded, drops are counted, and it recovers by itself", async (context) => {
  const path = await directory(context);
  const link = join(path, "access.log");
  await symlink("/dev/full", link);
  const { log, write, messages, counts } = setUp(context, { appender: { ...FAST, maxBufferedBytes: 10_000 } });
  await log.setOutput(link);
  const startedAt = performance.now();
  for (const id of ids(0, 500)) write(id);
  assert.ok(performance.now() - startedAt < 1_000, "writing does not wait");
  await until(() => messages.length > 0, "a fault");
  await setTimeout(60);
  assert.deepEqual(
    messages.map(({ level }) => level),
    ["error"],
  );
  const { written, dropped } = counts();
  assert.equal(written, 0);
  assert.ok(dropped > 400 && dropped < 500, `${dropped} dropped`);
  await unlink(link);
  await until(() => messages.length > 1, "a recovery");
  assert.deepEqual(messages[1]?.details["droppedLines"], dropped);
  write("again");
  await until(async () => (await idsIn(link)).includes("again"), "writing again");
  assert.equal(messages.length, 2);
  assert.deepEqual(await idsIn(link), [...ids(0, 500 - dropped), "again"]);
  assert.deepEqual(counts(), { written: 500 - dropped + 1, dropped });
});

test("a disk that fills up in the midst of a line and is cleared again loses no line that was taken", async (context) => {
  const path = join(await directory(context), "small-disk");
  await mkdir(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "sluice-test", path], { stdio: "ignore" });
  } catch {
    context.skip("mounting a small file system is not permitted here; /dev/full stands in for it above");
    return;
  }
  using _mounted = { [Symbol.dispose]: () => void execFileSync("umount", ["-l", path]) };
  await writeFile(join(path, "ballast"), Buffer.alloc(40_000));
  const file = join(path, "access.log");
  const { log, write, messages, counts } = setUp(context);
  await log.setOutput(file);
  for (const id of ids(0, 120)) write(id);
  await until(() => messages.length > 0, "the disk is full");
  assert.match(String(messages[0]?.details["err"]), /ENOSPC/);
  const torn = await readFile(file, "utf8");
  assert.ok(torn.length > 0 && torn.length < 24_577, "part of the lines found room");
  await unlink(join(path, "ballast"));
  await until(() => messages.length > 1, "a recovery");
  await log.close();
  assert.deepEqual(await idsIn(file), ids(0, 120));
  assert.deepEqual(counts(), { written: 120, dropped: 0 });
});

test("a pipe without a reader does not block, and a reader that comes gets the lines", async (context) => {
  const path = join(await directory(context), "pipe");
  execFileSync("mkfifo", [path]);
  const { log, write, messages } = setUp(context);
  await log.setOutput(path);
  write("first");
  await until(() => messages.length > 0, "nobody reads");
  const reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  context.after(() => reader.close());
  await until(() => messages.length > 1, "somebody reads");
  const { buffer, bytesRead } = await reader.read(Buffer.alloc(4_096));
  assert.match(buffer.toString("utf8", 0, bytesRead), /"requestId":"first"/);
});

/** A process that writes access log lines to its standard output faster than anybody reads. */
function chatterbox(lines: number): string {
  return `
    import { AccessLog } from ${JSON.stringify(new URL("./access-log.ts", import.meta.url).href)};
    import { NameTable } from ${JSON.stringify(new URL("../lib/name-table.ts", import.meta.url).href)};
    import { createUsageBuffer } from ${JSON.stringify(new URL("../ledger/usage-layout.ts", import.meta.url).href)};
    import { UsageReader } from ${JSON.stringify(new URL("../ledger/usage-reader.ts", import.meta.url).href)};
    import { UsageWriter } from ${JSON.stringify(new URL("../ledger/usage-writer.ts", import.meta.url).href)};
    const say = (message) => process.stderr.write(message + "\\n");
    const log = new AccessLog({
      names: new NameTable(),
      log: { error: () => say("fault"), info: () => {} },
      appender: { maxBufferedBytes: 100_000 },
    });
    await log.setOutput("stdout");
    const buffer = createUsageBuffer(16), writer = new UsageWriter(buffer), reader = new UsageReader(buffer);
    const counts = () => log.source().map((family) => family.samples[0].value);
    let longest = 0, last = performance.now();
    for (let index = 0; index < ${lines}; index++) {
      writer.close(writer.open("r" + index, 1), "ok", 200, 1);
      reader.drain(log.record, 1);
      if (index % 200 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
    await log.close();
    const [written, dropped] = counts();
    say(JSON.stringify({ longest, written, dropped }));
    process.exit(0);
  `;
}

/** Runs it to its end and checks that it went on unhindered. */
async function runChatterbox(
  lines: number,
  stdout: "pipe" | number,
  command: readonly [string, ...string[]] = [process.execPath],
): Promise<void> {
  const [program, ...args] = command;
  const child = spawn(program, [...args, "--input-type=module", "--eval", chatterbox(lines)], {
    stdio: ["ignore", stdout, "pipe"],
    timeout: 20_000,
    killSignal: "SIGKILL",
  });
  let told = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (told += text));
  const [code] = (await once(child, "exit")) as [number | null];
  assert.equal(code, 0, told);
  assert.equal(told.split("\n").filter((line) => line === "fault").length, 1, told);
  const result = JSON.parse(told.trim().split("\n").at(-1) ?? "") as Record<"longest" | "written" | "dropped", number>;
  assert.ok(result.longest < 500 && result.dropped > 0 && result.written > 0, told);
  assert.equal(result.written + result.dropped, lines, told);
}

test("standard output that nobody reads blocks neither the process nor its exit: a socket of Node's", async () => {
  await runChatterbox(3_000, "pipe");
});

test("standard output that nobody reads blocks neither the process nor its exit: a pipe", async (context) => {
  const path = join(await directory(context), "pipe");
  execFileSync("mkfifo", [path]);
  const pipe = await open(path, constants.O_RDWR);
  context.after(() => pipe.close());
  await runChatterbox(3_000, pipe.fd);
});

test("standard output that nobody reads blocks neither the process nor its exit: a blocking socket", async (context) => {
  const accepted: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => accepted.push(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    for (const socket of accepted) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const script = `exec "$0" "$@" >/dev/tcp/127.0.0.1/${port}`;
  await runChatterbox(60_000, "pipe", ["bash", "-c", script, process.execPath]);
});
