import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnGroup, waitForPort } from "../processes.ts";
import type { InstalledPeer, PeerKind, RunningPeer, StartContext } from "./contract.ts";
import { freePort, run } from "./install.ts";

const VERSION = "1.15.2";
/** With later ones of the range it asks for, its streams fail ("TypeError: immutable", its issue 1389). */
const HONO_SERVER_VERSION = "1.14.1";

/** The TypeScript peer, from npm. It takes provider and address from headers of each request. */
export const portkey: PeerKind = {
  name: "portkey",
  async install(cacheFolder) {
    const folder = join(cacheFolder, `portkey-${VERSION}`);
    const program = join(folder, "node_modules/@portkey-ai/gateway/build/start-server.js");
    if (!existsSync(program)) {
      mkdirSync(folder, { recursive: true });
      const manifest = {
        private: true,
        dependencies: { "@portkey-ai/gateway": VERSION },
        overrides: { "@hono/node-server": HONO_SERVER_VERSION },
      };
      writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
      await run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], folder);
    }
    return installed(program);
  },
};

function installed(program: string): InstalledPeer {
  return {
    name: "portkey",
    version: VERSION,
    features:
      "as its README starts it, NODE_ENV=production (no log page); no authentication of its own, no usage record, no metrics; @hono/node-server 1.14.1, the last its streams work with",
    start: (context) => start(program, context),
  };
}

async function start(program: string, context: StartContext): Promise<RunningPeer> {
  const port = await freePort();
  const group = spawnGroup({
    command: [
      process.execPath,
      "--import",
      join(import.meta.dirname, "listen-on-loopback.ts"),
      program,
      `--port=${port}`,
    ],
    cores: context.cores,
    cwd: context.folder,
    env: { NODE_ENV: "production" },
    logFile: join(context.folder, "portkey.log"),
  });
  await waitForPort(group, port, 30_000);
  return {
    group,
    target: () => ({
      port,
      path: "/v1/chat/completions",
      headers: {
        authorization: "Bearer sk-bench",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": `http://127.0.0.1:${context.upstreamPort}/v1`,
      },
    }),
  };
}
