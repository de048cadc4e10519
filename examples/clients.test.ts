/** The examples for clients do what they say, against a gateway as `npm start` begins it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import test, { after, before } from "node:test";
import { Cleanups, startGateway, type RunningGateway } from "../e2e/harness.ts";
import { pythonPath, requirePart } from "../e2e/parts.ts";

const cleanups = new Cleanups();
let gateway: RunningGateway;
before(async () => {
  gateway = await startGateway(cleanups, {});
});
after(async () => {
  await cleanups.run();
});

/** Runs an example to its end. @returns the lines that it printed */
async function linesOf(program: string, example: string): Promise<string[]> {
  const key = /sk-sluice-[\w-]+/.exec(gateway.log())?.[0];
  assert.ok(key, gateway.log());
  const child = spawn(program, [join(import.meta.dirname, example)], {
    env: { PATH: process.env["PATH"], SLUICE_URL: gateway.url, SLUICE_KEY: key },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
  });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  assert.equal(child.exitCode, 0, errors);
  return output.trimEnd().split("\n");
}

const LABEL = "[echo, the built-in test model of Sluice]";

test("sdk-openai.mjs", async () => {
  const said = `${LABEL} Hello from the OpenAI SDK!`;
  assert.deepEqual(await linesOf(process.execPath, "sdk-openai.mjs"), [said, said, "model: echo"]);
});

test("sdk-anthropic.mjs", async () => {
  const [whole, streamed, tokens] = await linesOf(process.execPath, "sdk-anthropic.mjs");
  assert.equal(whole, `${LABEL} Hello from the Anthropic SDK!`);
  assert.equal(streamed, whole);
  assert.match(tokens ?? "", /^prompt tokens: [1-9]\d*$/);
});

test("sdk-openai.py", async (t) => {
  if (!requirePart(t, "python")) return;
  const said = `${LABEL} Hello from the OpenAI package!`;
  assert.deepEqual(await linesOf(pythonPath() ?? "", "sdk-openai.py"), [said, said, "model: echo"]);
});

test("sdk-anthropic.py", async (t) => {
  if (!requirePart(t, "python")) return;
  const [whole, streamed, tokens] = await linesOf(pythonPath() ?? "", "sdk-anthropic.py");
  assert.equal(whole, `${LABEL} Hello from the Anthropic package!`);
  assert.equal(streamed, whole);
  assert.match(tokens ?? "", /^prompt tokens: [1-9]\d*$/);
});

test("curl.sh", async () => {
  const lines = await linesOf("sh", "curl.sh");
  const events = lines.filter((line) => line.startsWith("data: "));
  assert.equal(events.at(-1), "data: [DONE]");
  assert.ok(events.length > 5, `${events.length} events`);
  const [chat, message, models] = lines.filter((line) => line.startsWith("{")).map((line): unknown => JSON.parse(line));
  const said = `${LABEL} Hello from curl!`;
  assert.partialDeepStrictEqual(chat, { object: "chat.completion", choices: [{ message: { content: said } }] });
  assert.partialDeepStrictEqual(message, { type: "message", content: [{ type: "text", text: said }] });
  assert.partialDeepStrictEqual(models, { object: "list", data: [{ id: "echo" }] });
});
