/** Redis servers for what is shared by it: the machine's own program, or Debian's package, unpacked and not installed. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createClient, type RedisClientType } from "@redis/client";
import { redisPath } from "../../e2e/parts.ts";
import { spawnGroup, waitForPort } from "../processes.ts";
import type { Cores, ProcessGroup } from "../processes.ts";
import { freePort, run } from "./install.ts";

/** The server, and what it needs beyond what every Debian has. */
const PACKAGES = ["redis-server", "redis-tools", "libatomic1", "libjemalloc2", "liblzf1"];

/** A redis-server that can be started. */
export interface InstalledRedis {
  readonly program: string;
  readonly version: string;
  readonly env: Readonly<Record<string, string>>;
}

/** What a server has done so far. */
export interface RedisCounts {
  /** Calls of clients: scripts. */
  readonly calls: number;
  /** Commands within those scripts. */
  readonly inner: number;
  readonly cpuSeconds: number;
}

/** Finds or fetches it. Throws with the reason if it cannot be had here. */
export async function installRedis(cacheFolder: string): Promise<InstalledRedis> {
  const own = redisPath();
  const { program, env } = own === undefined ? await unpacked(join(cacheFolder, "redis")) : { program: own, env: {} };
  const version = /v=([\d.]+)/.exec(await run([program, "--version"], cacheFolder, env))?.[1] ?? "unknown";
  return { program, version, env };
}

async function unpacked(folder: string): Promise<{ program: string; env: Record<string, string> }> {
  const program = join(folder, "usr/bin/redis-server");
  if (!existsSync(program)) {
    mkdirSync(folder, { recursive: true });
    await run(["apt-get", "download", "-q", ...PACKAGES], folder);
    for (const archive of readdirSync(folder).filter((name) => name.endsWith(".deb"))) {
      await run(["dpkg", "-x", archive, "."], folder);
    }
  }
  const libraries = readdirSync(join(folder, "usr/lib"))
    .filter((name) => name.endsWith("-linux-gnu"))
    .map((name) => join(folder, "usr/lib", name));
  return { program, env: { LD_LIBRARY_PATH: libraries.join(":") } };
}

/** A running server. It keeps nothing on a disk. */
export class BenchRedis {
  readonly port: number;
  readonly group: ProcessGroup;
  readonly #client: RedisClientType;

  private constructor(port: number, group: ProcessGroup, client: RedisClientType) {
    this.port = port;
    this.group = group;
    this.#client = client;
  }

  static async start({ program, env }: InstalledRedis, cores: Cores, folder: string): Promise<BenchRedis> {
    const port = await freePort();
    const file = join(folder, `redis-${port}.conf`);
    writeFileSync(file, `bind 127.0.0.1\nport ${port}\nsave ""\ndir ${folder}\n`);
    const logFile = join(folder, `redis-${port}.log`);
    const group = spawnGroup({ command: [program, file], cores, cwd: folder, env, logFile });
    await waitForPort(group, port, 10_000);
    const client: RedisClientType = createClient({ socket: { host: "127.0.0.1", port } });
    client.on("error", () => {});
    await client.connect();
    return new BenchRedis(port, group, client);
  }

  /** Read by `INFO`, which is not counted itself. */
  async counts(): Promise<RedisCounts> {
    const text = await this.#client.info("everything");
    let calls = 0;
    let inner = 0;
    for (const [, name = "", count] of text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
      if (name.startsWith("eval")) {
        calls += Number(count);
      } else if (!HOUSEKEEPING.test(name)) {
        inner += Number(count);
      }
    }
    const cpu = (kind: string): number => Number(new RegExp(`^used_cpu_${kind}:([\\d.]+)`, "m").exec(text)?.[1]);
    return { calls, inner, cpuSeconds: cpu("sys") + cpu("user") };
  }

  async end(): Promise<void> {
    this.#client.destroy();
    await this.group.end();
  }
}

/** What clients send when they connect, and this reader. */
const HOUSEKEEPING = /^(?:info|hello|client|select|ping|auth|script|config)/;
