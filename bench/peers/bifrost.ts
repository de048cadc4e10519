import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MODEL } from "../payloads.ts";
import { spawnGroup, waitForPort } from "../processes.ts";
import type { InstalledPeer, PeerKind, RunningPeer, StartContext } from "./contract.ts";
import { freePort, run } from "./install.ts";

const MODULE = "github.com/maximhq/bifrost/transports/bifrost-http";

/**
 * The Go peer, by `go install` as its README says. (Its npm package holds no program: it downloads one from its
 * maker's site, which the bench, bound to package registries, does not do.)
 */
export const bifrost: PeerKind = {
  name: "bifrost",
  async install(cacheFolder) {
    const folder = join(cacheFolder, "bifrost");
    const program = join(folder, "bifrost-http");
    mkdirSync(folder, { recursive: true });
    if (!existsSync(program)) {
      await run(["go", "install", `${MODULE}@latest`], folder, { GOBIN: folder });
    }
    const version = /\smod\s+\S+\s+(\S+)/.exec(await run(["go", "version", "-m", program], folder))?.[1] ?? "unknown";
    return installed(program, version);
  },
};

function installed(program: string, version: string): InstalledPeer {
  return {
    name: "bifrost",
    version,
    features: "file configuration, one key of the provider; no store, no log, no governance",
    start: (context) => start(program, context),
  };
}

async function start(program: string, context: StartContext): Promise<RunningPeer> {
  const port = await freePort();
  const network = { base_url: `http://127.0.0.1:${context.upstreamPort}`, default_request_timeout_in_seconds: 600 };
  const provider = {
    keys: [{ name: "main", value: "sk-upstream", models: [MODEL], weight: 1 }],
    network_config: network,
  };
  writeFileSync(
    join(context.folder, "config.json"),
    JSON.stringify({
      client: { enable_logging: false },
      config_store: { enabled: false },
      logs_store: { enabled: false },
      providers: { openai: provider },
    }),
  );
  const group = spawnGroup({
    command: [program, "-app-dir", context.folder, "-host", "127.0.0.1", "-port", String(port), "-log-level", "error"],
    cores: context.cores,
    cwd: context.folder,
    env: { GOMAXPROCS: String(context.workers) },
    logFile: join(context.folder, "bifrost.log"),
  });
  await waitForPort(group, port, 60_000);
  return {
    group,
    target: () => ({ port, path: "/openai/v1/chat/completions", headers: { authorization: "Bearer sk-bench" } }),
  };
}
