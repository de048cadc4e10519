import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { createProcessLog } from "./log.ts";
import type { ProcessLogOptions } from "./log.ts";
import { SecretMask } from "./secret-mask.ts";

function setUp(options: ProcessLogOptions = {}) {
  const lines: string[] = [];
  const log = createProcessLog({ destination: { write: (line: string) => void lines.push(line) }, ...options });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? "null") as Record<string, unknown> };
}

test("lines are JSON with level, time and message", () => {
  const { log, last } = setUp();
  log.warn({ worker: 2 }, "a worker died");
  const { time, pid, ...rest } = last();
  assert.deepEqual(rest, { level: "warn", worker: 2, msg: "a worker died" });
  assert.equal(pid, process.pid);
  assert.ok(Math.abs(Date.parse(String(time)) - Date.now()) < 5_000);
});

test("secrets never reach the log: by their field, by their value, by their look", () => {
  const mask = new SecretMask();
  const credential = 'canary"with\\escapes\n-and $pecial.chars*';
  mask.setSecrets([credential, "canary", "short", "canary-0123456789"]);
  const { log, lines } = setUp({ mask, level: "trace" });
  const headers = {
    authorization: "Bearer canary-a",
    "x-api-key": "canary-b",
    cookie: "canary-c",
    "set-cookie": "canary-d",
  };
  log.info({ headers, apiKey: "canary-e", upstream: { request: { password: "canary-f" } } }, "fields");
  log.debug({ body: { text: `before ${credential} after` } }, `message with ${credential}`);
  log.error({
    err: new Error(`connect failed: ${credential}`, { cause: new Error("key canary-0123456789 was refused") }),
  });
  log.trace("authorization: Bearer canary_unknown_to_the_mask");
  log.trace("the key sk-canary-unknown and sk-sluice-canarycanarycanary");
  assert.equal(lines.length, 5);
  assert.doesNotMatch(lines.join(""), /canary/);
  assert.match(lines.join(""), /\[masked\].*\[masked\]/s);
  assert.ok(lines.every((line) => typeof JSON.parse(line) === "object"));
});

test("short secrets are not masked: that would blot out words", () => {
  const mask = new SecretMask();
  mask.setSecrets(["", "index"]);
  assert.equal(
    mask.apply("the index of tasks; risk-averse, Bearer of news"),
    "the index of tasks; risk-averse, Bearer of news",
  );
  mask.setSecrets(["a-longer-secret"]);
  assert.equal(mask.apply("a-longer-secret"), "[masked]");
  mask.setSecrets([]);
  assert.equal(mask.apply("a-longer-secret"), "a-longer-secret");
});

test("the level comes from SLUICE_LOG_LEVEL, and an unknown one is said and ignored", (context) => {
  const before = process.env["SLUICE_LOG_LEVEL"];
  context.after(() => {
    if (before === undefined) delete process.env["SLUICE_LOG_LEVEL"];
    else process.env["SLUICE_LOG_LEVEL"] = before;
  });
  process.env["SLUICE_LOG_LEVEL"] = "error";
  const quiet = setUp();
  quiet.log.info("not this");
  quiet.log.error("this");
  assert.equal(quiet.lines.length, 1);
  process.env["SLUICE_LOG_LEVEL"] = "loud";
  const unknown = setUp();
  assert.match(String(unknown.last()["msg"]), /SLUICE_LOG_LEVEL/);
  unknown.log.debug("not this");
  unknown.log.info("this");
  assert.equal(unknown.lines.length, 2);
});

const CHILD = `
  import { createProcessLog } from ${JSON.stringify(new URL("./log.ts", import.meta.url).href)};
  const log = createProcessLog();
  for (let index = 0; index < 100; index++) log.info({ index }, "line");
  log.fatal("last");
  process.exit(3);
`;

test("by default it writes to standard error, and what was logged before the exit is there", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", CHILD], {
    encoding: "utf8",
  });
  assert.equal(status, 3);
  assert.equal(stdout, "");
  const lines = stderr.trim().split("\n");
  assert.equal(lines.length, 101);
  assert.equal((JSON.parse(lines.at(-1) ?? "") as { msg: string }).msg, "last");
});

test("a full disk under the process log ends nothing", () => {
  const script = `
    import { createProcessLog } from ${JSON.stringify(new URL("./log.ts", import.meta.url).href)};
    const log = createProcessLog();
    for (let index = 0; index < 50; index++) {
      log.info("line");
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    process.stdout.write("still here");
  `;
  const command = '"$0" --input-type=module --eval "$1" 2>/dev/full';
  assert.equal(
    execFileSync("sh", ["-c", command, process.execPath, script], { encoding: "utf8", timeout: 10_000 }),
    "still here",
  );
});

test("a reader that stalls blocks nothing, and what was dropped is said when it reads again", async () => {
  const script = `
    import { createProcessLog } from ${JSON.stringify(new URL("./log.ts", import.meta.url).href)};
    const log = createProcessLog();
    const startedAt = performance.now();
    for (let index = 0; index < 3_000; index++) log.info({ index, filler: "x".repeat(1_000) }, "line");
    process.stdout.write(String(Math.round(performance.now() - startedAt)));
    process.stdin.resume();
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    timeout: 10_000,
    killSignal: "SIGKILL",
  });
  const [ms] = (await once(child.stdout, "data")) as [Buffer];
  assert.ok(Number(ms.toString()) < 2_000, `${ms.toString()} ms`);
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => (text += part));
  while (!text.includes('"dropped":')) await once(child.stderr, "data");
  child.stdin.end();
  await once(child, "exit");
  const lines = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { index?: number; dropped?: number });
  const written = lines.filter(({ index }) => index !== undefined);
  assert.deepEqual(
    written.map(({ index }) => index),
    written.map((_, index) => index),
    "in order, none torn",
  );
  assert.equal(written.length + (lines.at(-1)?.dropped ?? 0), 3_000);
});
