/** Runs the real gateway for a test: `sluice serve` as a process of its own, with a configuration from an object. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../src/lib/json.ts";
import type { UsageEntry } from "../src/ledger/entry.ts";
import { cleanEnvironment } from "../src/cli/command-helper.test.ts";

/** Who ends a gateway: a test's context, or the cleanups of a whole file. */
export type Ending = Pick<TestContext, "after">;

/** What is to be undone after all tests of a file: `after(() => cleanups.run())`. */
export class Cleanups implements Ending {
  readonly #cleanups: (() => Promise<void>)[] = [];

  after(cleanup: Parameters<TestContext["after"]>[0]): void {
    assert.ok(cleanup !== undefined);
    this.#cleanups.push(async () => {
      await (cleanup as () => unknown)();
    });
  }

  /** The last one first. */
  async run(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).toReversed()) await cleanup();
  }
}

export const MAIN = join(import.meta.dirname, "..", "src", "main.ts");
/** What the gateway says when it listens; the one place that knows. */
const ANNOUNCEMENT = /listens on (https?:\/\/\S+) \(admin: (http:\/\/[^\s)]+)\)/;
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 20_000;
const POLL_MS = 10;
/** More than entries wait in a worker and in the log's buffer. */
const BATCH_MS = 250;

/** The access log leaves out names that an entry has none of. */
const NO_NAMES = {
  error: "",
  consumer: "",
  key: "",
  template: "",
  model: "",
  servedModel: "",
  provider: "",
  upstreamModel: "",
};

/** An API key and the hash that a configuration has of it. */
export interface TestKey {
  readonly key: string;
  readonly hash: string;
}

/** What no gateway may ever show: keys of clients and of providers. */
const secrets = new Set<string>();

/** The keys of clients and providers that the tests of this process know: none may be in what a client gets. */
export function assertNoSecrets(where: string, text: string): void {
  for (const secret of secrets) assert.ok(!text.includes(secret), `${where} shows the secret ${secret}`);
}

/** A key that is the same for the same name. */
export function testKey(name: string): TestKey {
  const key = `sk-sluice-${createHash("sha256").update(name).digest("base64url")}`;
  secrets.add(key);
  return { key, hash: `sha256:${createHash("sha256").update(key).digest("hex")}` };
}

export interface GatewayOptions {
  /** The configuration file's content; none starts without one. The access log goes to a file unless it says otherwise. */
  readonly config?: JsonObject;
  readonly workers?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/** A gateway that runs. */
export interface RunningGateway {
  /** `http://127.0.0.1:PORT`, without a path. */
  readonly url: string;
  readonly port: number;
  readonly adminUrl: string;
  readonly process: ChildProcess;
  /** Standard error so far. */
  log(): string;
  /** Standard output so far. */
  output(): string;
  /** Replaces the configuration file in one step, as editors do. */
  configure(config: JsonObject): Promise<void>;
  /** The access log so far. */
  entries(): Promise<UsageEntry[]>;
  /** Waits until the access log has at least so many entries, and returns them all. */
  waitForEntries(count: number, timeoutMs?: number): Promise<UsageEntry[]>;
  /** The one entry of the request with this `x-request-id`, once it is there. @throws AssertionError if there are two */
  entryOf(requestId: string, timeoutMs?: number): Promise<UsageEntry>;
  /** SIGTERM, and the assertion that the exit code is 0. */
  stop(): Promise<void>;
}

/** Starts a gateway; it is stopped when the test ends. */
export async function startGateway(t: Ending, options: GatewayOptions): Promise<RunningGateway> {
  const directory = await mkdtemp(join(tmpdir(), "sluice-e2e-"));
  const gateway = new GatewayProcess(directory, options);
  t.after(async () => {
    await gateway.stop();
    await rm(directory, { recursive: true, force: true });
  });
  await gateway.start();
  return gateway;
}

class GatewayProcess implements RunningGateway {
  readonly #directory: string;
  readonly #options: GatewayOptions;
  readonly #accessLog: string;
  #process: ChildProcess | undefined;
  #exit: Promise<number | string> | undefined;
  #exited = false;
  #log = "";
  #output = "";
  url = "";
  adminUrl = "";

  constructor(directory: string, options: GatewayOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#accessLog = join(directory, "access.log");
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get process(): ChildProcess {
    assert.ok(this.#process);
    return this.#process;
  }

  log(): string {
    return this.#log;
  }

  output(): string {
    return this.#output;
  }

  async start(): Promise<void> {
    const { config, workers = 1, environment } = this.#options;
    const parameters = [
      "serve",
      "--listen",
      "127.0.0.1:0",
      "--admin-listen",
      "127.0.0.1:0",
      "--workers",
      String(workers),
    ];
    if (config !== undefined) {
      await this.configure(config);
      parameters.push("--config", this.#configPath());
    }
    const child = spawn(process.execPath, [MAIN, ...parameters], {
      cwd: this.#directory,
      env: cleanEnvironment({ SLUICE_LOG_LEVEL: "debug", ...environment }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#log += text;
    });
    // A test file that ends by itself, without its cleanups, leaves no gateway behind.
    const kill = (): void => void child.kill("SIGKILL");
    process.once("exit", kill);
    this.#exit = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        process.off("exit", kill);
        this.#exited = true;
        resolve(code ?? signal ?? "");
      });
    });
    const announced = await this.#announcement();
    this.url = announced[1] ?? "";
    this.adminUrl = announced[2] ?? "";
  }

  async configure(config: JsonObject): Promise<void> {
    // JSON is YAML; a file that is renamed into place is never read half-written.
    const content = JSON.stringify({ accessLog: { output: this.#accessLog }, ...config }, undefined, 2);
    for (const [, secret] of content.matchAll(/"apiKey": "([^"]{8,})"/g)) secrets.add(secret!);
    await writeFile(`${this.#configPath()}.new`, content);
    await rename(`${this.#configPath()}.new`, this.#configPath());
  }

  async entries(): Promise<UsageEntry[]> {
    const text = await readFile(this.#accessLog, "utf8").catch(() => "");
    const lines = text.split("\n").slice(0, -1);
    return lines.map((line) => ({ ...NO_NAMES, ...(JSON.parse(line) as UsageEntry) }));
  }

  async waitForEntries(count: number, timeoutMs = 5000): Promise<UsageEntry[]> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const entries = await this.entries();
      if (entries.length >= count) return entries;
      if (performance.now() > deadline) {
        throw new Error(`${entries.length} of ${count} entries within ${timeoutMs} ms; the gateway said: ${this.#log}`);
      }
      await sleep(POLL_MS);
    }
  }

  async entryOf(requestId: string, timeoutMs = 5000): Promise<UsageEntry> {
    const found = async (): Promise<UsageEntry[]> =>
      (await this.entries()).filter((entry) => entry.requestId === requestId);
    await until(`an entry of ${requestId}`, async () => ((await found()).length > 0 ? true : undefined), timeoutMs);
    // A second one would come in the next batch.
    await sleep(BATCH_MS);
    const [entry, ...others] = await found();
    assert.ok(entry !== undefined && others.length === 0, `${others.length + 1} entries of ${requestId}`);
    return entry;
  }

  async stop(): Promise<void> {
    if (this.#exit === undefined) return;
    if (!this.#exited) await this.#stop(this.#exit);
    assertNoSecrets("standard error", this.#log);
    assertNoSecrets("standard output", this.#output);
    assertNoSecrets("the access log", await readFile(this.#accessLog, "utf8").catch(() => ""));
  }

  async #stop(exit: Promise<number | string>): Promise<void> {
    const metrics = await fetch(`${this.adminUrl}/metrics`).then((answer) => answer.text());
    assertNoSecrets("the metrics", metrics);
    this.process.kill("SIGTERM");
    const code = await Promise.race([exit, sleep(STOP_TIMEOUT_MS, "still running", { ref: false })]);
    if (code === "still running") this.process.kill("SIGKILL");
    assert.equal(code, 0, `the gateway ended with ${code}; it said: ${this.#log}`);
  }

  #configPath(): string {
    return join(this.#directory, "sluice.yaml");
  }

  async #announcement(): Promise<RegExpExecArray> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      const announced = ANNOUNCEMENT.exec(this.#log);
      if (announced !== null) return announced;
      if (this.#exited || performance.now() > deadline) throw new Error(`the gateway did not start: ${this.#log}`);
      await sleep(POLL_MS);
    }
  }
}

/** What came back on a raw connection. */
export interface RawAnswer {
  readonly text: string;
  /** How the connection ended: "end" for a FIN, an error code, or "timeout" if it did not. */
  readonly end: string;
  readonly ms: number;
}

/** Sends bytes as they are and collects what comes back until the connection ends or the time is up. */
export async function rawRequest(port: number, bytes: string | Buffer, timeoutMs = 2000): Promise<RawAnswer> {
  const start = performance.now();
  const socket = connect(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  let end = "end";
  const timer = setTimeout(() => {
    end = "timeout";
    socket.destroy();
  }, timeoutMs);
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", (error: NodeJS.ErrnoException) => {
    end = error.code ?? error.message;
  });
  socket.write(bytes);
  await new Promise((resolve) => socket.once("close", resolve));
  clearTimeout(timer);
  return { text: Buffer.concat(chunks).toString("latin1"), end, ms: performance.now() - start };
}

/** A provider `engine` that is a simulator, and the model `index` that it serves, without retries. */
export function oneEngine({ url }: { readonly url: string }) {
  return {
    providers: [
      {
        name: "engine",
        dialect: "openai",
        nodes: [`${url}/v1`],
        credentials: [{ name: "main", apiKey: "sk-engine" }],
      },
    ],
    models: [{ name: "index", targets: [{ provider: "engine", model: "m" }], retry: { attempts: 0 } }],
  };
}

/** Waits until the check returns something. @throws Error naming `what` after `timeoutMs` */
export async function until<T>(
  what: string,
  check: () => T | undefined | Promise<T | undefined>,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await check();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(POLL_MS);
  }
}
