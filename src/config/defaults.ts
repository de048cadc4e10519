/** What a configuration means by leaving whole parts out. */
import type { DomainConfig, RouteConfig } from "./snapshot.ts";

function route(path: string, apis: RouteConfig["apis"]): RouteConfig {
  return { path, apis, middlewares: [], exposeHeaders: false, dropUnsupported: false };
}

/** The database, below the working directory. */
export const DEFAULT_STORE_PATH = "data/sluice.db";

/** Every host, with the paths that the vendors' SDKs call. */
export const DEFAULT_DOMAIN: DomainConfig = {
  host: "*",
  routes: [
    route("/v1/*", ["openai", "anthropic"]),
    route("/openai/*", ["openai"]),
    route("/anthropic/*", ["anthropic"]),
  ],
};
