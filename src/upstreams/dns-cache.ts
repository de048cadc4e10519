/**
 * A cache for host look-ups. The system's resolver gives no TTL, so answers live for a fixed time; when the
 * resolver fails, the last answer goes on being used. Concurrent look-ups of a name share one query.
 */
import { lookup as systemLookup, type LookupAddress, type LookupAllOptions } from "node:dns";
import type { LookupFunction } from "node:net";
import { sharedNowMs } from "../lib/shared-clock.ts";

type LookupAll = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

interface CacheEntry {
  readonly addresses: LookupAddress[];
  readonly expiresAt: number;
}

type Waiter = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/** A caching replacement for `dns.lookup`, of the form that `net.connect` takes. */
export class DnsCache {
  readonly #entries = new Map<string, CacheEntry>();
  readonly #waiting = new Map<string, Waiter[]>();
  readonly #ttlMs: number;
  readonly #maxEntries: number;
  readonly #resolve: LookupAll;

  /** @param ttlMs how long an answer is used before it is asked for again */
  constructor(ttlMs = 30_000, maxEntries = 1_000, resolve: LookupAll = systemLookup) {
    this.#ttlMs = ttlMs;
    this.#maxEntries = maxEntries;
    this.#resolve = resolve;
  }

  readonly lookup: LookupFunction = (hostname, options, callback) => {
    const answer: Waiter = (error, all) => {
      const family = options.family === "IPv4" ? 4 : options.family === "IPv6" ? 6 : (options.family ?? 0);
      const addresses = family === 0 ? all : all.filter((address) => address.family === family);
      const first = addresses[0];
      if (error !== null || first === undefined) {
        callback(error ?? notFound(hostname), "", 0);
      } else if (options.all === true) {
        callback(null, addresses);
      } else {
        callback(null, first.address, first.family);
      }
    };
    const cached = this.#entries.get(hostname);
    if (cached !== undefined && cached.expiresAt > sharedNowMs()) {
      process.nextTick(answer, null, cached.addresses);
      return;
    }
    const waiters = this.#waiting.get(hostname);
    if (waiters !== undefined) {
      waiters.push(answer);
      return;
    }
    this.#waiting.set(hostname, [answer]);
    this.#resolve(hostname, { all: true }, (error, addresses: LookupAddress[] | undefined) => {
      this.#settle(hostname, error, addresses ?? []);
    });
  };

  #settle(hostname: string, error: NodeJS.ErrnoException | null, addresses: LookupAddress[]): void {
    const waiters = this.#waiting.get(hostname) ?? [];
    this.#waiting.delete(hostname);
    const stale = this.#entries.get(hostname);
    if (error === null) {
      this.#entries.delete(hostname);
      const oldest = this.#entries.keys().next().value;
      if (this.#entries.size >= this.#maxEntries && oldest !== undefined) {
        this.#entries.delete(oldest);
      }
      this.#entries.set(hostname, { addresses, expiresAt: sharedNowMs() + this.#ttlMs });
    }
    const useStale = error !== null && stale !== undefined;
    for (const waiter of waiters) {
      waiter(useStale ? null : error, useStale ? stale.addresses : addresses);
    }
  }
}

function notFound(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`no address for ${hostname}`), { code: "ENOTFOUND" });
}
