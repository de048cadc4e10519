/**
 * The registry of origins: pools outlive engines, so a configuration change never closes a warm connection.
 * Engines take and release origins; one that no engine holds is closed once its calls have ended.
 */
import { DnsCache } from "./dns-cache.ts";
import { offlineOrigin } from "./offline-origin.ts";
import { OFFLINE_URL, type Origin, type OriginOptions } from "./origin.ts";
import { Http1Origin } from "./http1/http1-origin.ts";
import { createProxiedOrigin } from "./proxied-origin.ts";
import { usesProxy } from "./proxy-environment.ts";

interface Held {
  readonly origin: Origin;
  holders: number;
}

/** All origins of one worker. */
export class Origins {
  readonly #held = new Map<string, Held>();
  readonly #dns = new DnsCache();

  /** Takes a share in the pool for these options; give it back with `release`. */
  take(options: OriginOptions): Origin {
    if (options.url === OFFLINE_URL) {
      return offlineOrigin;
    }
    const key = keyOf(options);
    let held = this.#held.get(key);
    if (held === undefined) {
      const proxied = usesProxy(options.url, process.env);
      const origin = proxied ? createProxiedOrigin(options) : new Http1Origin(options, this.#dns);
      held = { origin, holders: 0 };
      this.#held.set(key, held);
    }
    held.holders += 1;
    return held.origin;
  }

  release(options: OriginOptions): void {
    const key = keyOf(options);
    const held = this.#held.get(key);
    if (held === undefined) {
      return;
    }
    held.holders -= 1;
    if (held.holders === 0) {
      this.#held.delete(key);
      void held.origin.close();
    }
  }
}

function keyOf(options: OriginOptions): string {
  return `${options.url} ${options.connectTimeoutMs} ${options.maxConnections}`;
}
