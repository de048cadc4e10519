/** Addresses of Redis: `redis://user:password@host:6379/0`, and `host:port` for nodes. */
import { isIPv6 } from "node:net";
import { z } from "zod";
import type { RedisNode } from "../snapshot.ts";

/** What a URL of Redis says. */
export interface RedisUrl {
  readonly node: RedisNode;
  readonly usesTls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
}

const URL_MESSAGE = "must be a URL such as redis://user:password@host:6379/0, or rediss:// for TLS";
const NODE_MESSAGE = "must be a host and a port, such as redis-1:6379 or [::1]:6379";

/** @returns undefined if the text is no such URL */
export function parseRedisUrl(text: string): RedisUrl | undefined {
  const url = URL.parse(text);
  const database = /^\/?(\d{0,4})$/.exec(url?.pathname ?? "-")?.[1];
  const isRedis = url?.protocol === "redis:" || url?.protocol === "rediss:";
  if (url === null || !isRedis || database === undefined || url.hostname === "" || /[?#]/.test(text)) {
    return undefined;
  }
  try {
    return {
      node: {
        host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
        ...(url.port !== "" && { port: Number(url.port) }),
      },
      usesTls: url.protocol === "rediss:",
      username: url.username === "" ? undefined : decodeURIComponent(url.username),
      password: url.password === "" ? undefined : decodeURIComponent(url.password),
      database: Number(database),
    };
  } catch {
    return undefined; // a lone `%` in user or password
  }
}

/** A URL of one Redis. */
export const redisUrl = z.string({ error: URL_MESSAGE }).transform((text, context) => {
  const parsed = parseRedisUrl(text);
  if (parsed === undefined) {
    const remedy = "Percent-encode what is special in user and password, or give them as `username` and `password`.";
    context.addIssue({ code: "custom", message: URL_MESSAGE, params: { remedy } });
    return z.NEVER;
  }
  return parsed;
});

/** A node of a cluster, or a sentinel. */
export const redisNode = z.string({ error: NODE_MESSAGE }).transform((text, context): RedisNode => {
  const match = /^(?:\[([^\]]+)\]|([A-Za-z0-9._-]{1,253}))(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  const isBad = match === null || (port !== undefined && (port < 1 || port > 65_535));
  if (isBad || (match[1] !== undefined && !isIPv6(match[1]))) {
    context.addIssue({ code: "custom", message: NODE_MESSAGE });
    return z.NEVER;
  }
  return { host: match[1] ?? match[2] ?? "", ...(port !== undefined && { port }) };
});
