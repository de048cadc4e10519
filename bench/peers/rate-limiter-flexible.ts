import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./install.ts";

const VERSION = "11.4.0";
/** The newest of the range that it is tested with. */
const CLIENT_VERSION = "5.11.1";

/** A limiter that runs a script in Redis for each request: no gateway, so no peer of the other scenarios. */
export const RATE_LIMITER_FLEXIBLE = {
  name: "rate-limiter-flexible",
  version: `${VERSION} (ioredis ${CLIENT_VERSION})`,
  features:
    "RateLimiterRedis, with inMemoryBlockOnConsumed (no call for what is known to be used up) and a RateLimiterMemory of a fourth as insuranceLimiter",
} as const;

/** Installs it. @returns the folder whose `node_modules` has it. Throws with the reason if it cannot be had here. */
export async function installRateLimiterFlexible(cacheFolder: string): Promise<string> {
  const folder = join(cacheFolder, `rate-limiter-flexible-${VERSION}`);
  if (!existsSync(join(folder, "node_modules/rate-limiter-flexible"))) {
    mkdirSync(folder, { recursive: true });
    const dependencies = { "rate-limiter-flexible": VERSION, ioredis: CLIENT_VERSION };
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies }));
    await run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], folder);
  }
  return folder;
}
