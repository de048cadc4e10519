import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { MODEL } from "../payloads.ts";
import { spawnGroup, waitForPort } from "../processes.ts";
import type { PeerKind, RunningPeer, StartContext, Target } from "./contract.ts";
import { freePort } from "./install.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
const PROGRAM = join(REPOSITORY, "src/main.ts");
const KEY = `sk-sluice-${randomBytes(32).toString("base64url")}`;

/** A running Sluice: more is known of it than of its peers. */
export interface RunningSluice extends RunningPeer {
  readonly adminPort: number;
  readonly configFile: string;
}

/** The gateway under test, from this work tree. */
export const sluice: PeerKind = {
  name: "sluice",
  async install() {
    if (!existsSync(PROGRAM)) {
      throw new Error("src/main.ts is not there");
    }
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8")) as { version: string };
    return {
      name: "sluice",
      version,
      features: "authentication, grants, usage entries, access log (stdout, to a file), metrics",
      start: (context) => startSluice(context, baseConfig(context.upstreamPort)),
    };
  },
};

/** A configuration as people write it: one provider, one model, one consumer. */
export function baseConfig(upstreamPort: number): Record<string, unknown> {
  return {
    gateway: "bench",
    providers: [
      {
        name: "upstream",
        dialect: "openai",
        baseUrl: `http://127.0.0.1:${upstreamPort}/v1`,
        credentials: [{ name: "main", apiKey: "sk-upstream" }],
      },
    ],
    models: [{ name: MODEL, targets: [{ provider: "upstream", model: MODEL }] }],
    consumers: [
      {
        name: "bench",
        grants: [{ model: "*" }],
        keys: [{ name: "main", hash: `sha256:${createHash("sha256").update(KEY).digest("hex")}` }],
      },
    ],
    domains: [{ host: "*", routes: [{ path: "/v1/*", api: "openai" }] }],
  };
}

/** Starts `sluice serve` on a configuration. */
export async function startSluice(context: StartContext, config: Record<string, unknown>): Promise<RunningSluice> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const configFile = join(context.folder, "sluice.yaml");
  writeFileSync(configFile, stringify(config));
  const group = spawnGroup({
    command: [
      process.execPath,
      ...context.nodeArguments,
      PROGRAM,
      "serve",
      ...["--config", configFile],
      ...["--listen", `127.0.0.1:${port}`],
      ...["--admin-listen", `127.0.0.1:${adminPort}`],
      ...["--workers", String(context.workers)],
    ],
    cores: context.cores,
    cwd: context.folder,
    logFile: join(context.folder, "sluice.log"),
  });
  await waitForPort(group, port, 60_000);
  await waitForPort(group, adminPort, 10_000);
  const target: Target = { port, path: "/v1/chat/completions", headers: { authorization: `Bearer ${KEY}` } };
  return { group, adminPort, configFile, target: () => target };
}
