// Real Redis servers for tests: each on a free port of 127.0.0.1, in a temporary directory, gone when the test ends.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createClient } from "@redis/client";
import { redisPath, valkeyPath } from "../parts.ts";

/** How a server is started. */
export interface RedisOptions {
  readonly product?: "redis" | "valkey";
  /** As on its command line: `{ requirepass: "x", "cluster-enabled": "yes" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly isSentinel?: boolean;
  readonly port?: number;
}

/** The longest that a server may take to start, in milliseconds. */
const startTimeoutMs = 10_000;

/** A running server. */
export class RedisServer {
  readonly port: number;
  readonly directory: string;
  readonly #options: RedisOptions;
  #process: ChildProcess | undefined;
  #log = "";

  constructor(port: number, directory: string, options: RedisOptions) {
    this.port = port;
    this.directory = directory;
    this.#options = options;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** Starts it, again if it was stopped; resolves when it listens. */
  async start(): Promise<void> {
    const { product = "redis", settings = {}, isSentinel } = this.#options;
    const binary = product === "redis" ? redisPath() : valkeyPath();
    if (binary === undefined) throw new Error(`test part "${product}" is missing`);
    if (product === "valkey") chmodSync(binary, 0o755);
    const defaults = { bind: "127.0.0.1", dir: this.directory, port: String(this.port) };
    const all = {
      ...defaults,
      ...(isSentinel === true ? {} : { save: "" }),
      ...settings,
    };
    const file = join(this.directory, "server.conf");
    if (!existsSync(file) || isSentinel !== true) {
      const lines = Object.entries(all).map(([name, value]) => `${name} ${value === "" ? '""' : value}\n`);
      writeFileSync(file, lines.join(""));
    }
    const child = spawn(binary, [file, ...(isSentinel === true ? ["--sentinel"] : [])], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    const keep = (chunk: Buffer): void => {
      this.#log = (this.#log + chunk.toString()).slice(-4_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const endsAt = Date.now() + startTimeoutMs;
    const listenPort = Number(settings["tls-port"] ?? this.port);
    while (!(await listens(listenPort))) {
      if (child.exitCode !== null || Date.now() > endsAt) throw new Error(`redis-server did not start:\n${this.#log}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Stops all of it at once, without the chance to say goodbye. */
  pause(): void {
    this.#process?.kill("SIGSTOP");
  }

  resume(): void {
    this.#process?.kill("SIGCONT");
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, "close");
    child.kill("SIGKILL");
    await closed;
  }

  /** Runs a command on a connection of its own. */
  async command(...command: string[]): Promise<unknown> {
    const { settings = {} } = this.#options;
    const client = createClient({
      socket: { host: "127.0.0.1", port: this.port, reconnectStrategy: false },
      RESP: 2,
      disableClientInfo: true,
      ...(settings["requirepass"] !== undefined && { password: settings["requirepass"] }),
    });
    client.on("error", () => {});
    await client.connect();
    try {
      return await client.sendCommand(command);
    } finally {
      client.destroy();
    }
  }
}

/** Starts a server that ends with the test. */
export async function startRedis(t: TestContext, options: RedisOptions = {}): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-redis-"));
  const server = new RedisServer(options.port ?? (await freePort()), directory, options);
  t.after(async () => {
    await server.kill();
    rmSync(directory, { recursive: true, force: true });
  });
  await server.start();
  return server;
}

/**
 * A port that nothing listens on now. A cluster node also takes the one 10,000 above, which must be none of these, and none
 * that the system gives to outgoing connections (on Linux from 32768).
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 10_000);
    const server = createServer();
    try {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
      return port;
    } catch {
      // in use: another
    } finally {
      server.close();
    }
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = createConnection(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
