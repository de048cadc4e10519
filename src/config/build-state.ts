/** `state` of a valid document, as the snapshot has it. */
import type { BuildContext } from "./build.ts";
import { readPem } from "./pem.ts";
import type { RedisDocument, StateDocument } from "./schema/state.ts";
import type { RedisConfig, StateConfig } from "./snapshot.ts";

/** What is wrong with files that it names becomes a finding. */
export function buildState({ redis, timeout }: StateDocument, context: BuildContext): StateConfig {
  const document = "node" in redis ? { url: redis } : redis;
  return { redis: buildRedis(document, context), timeoutMs: timeout };
}

function buildRedis(document: RedisDocument, context: BuildContext): RedisConfig {
  const { url, nodes, sentinel } = document;
  const username = document.username ?? url?.username;
  const password = document.password ?? url?.password;
  const tls = buildTls(document, context);
  return {
    kind: sentinel !== undefined ? "sentinel" : nodes === undefined ? "server" : "cluster",
    nodes: sentinel?.nodes ?? nodes ?? (url === undefined ? [] : [url.node]),
    ...(sentinel !== undefined && {
      sentinel: {
        master: sentinel.master,
        ...(sentinel.username !== undefined && { username: sentinel.username }),
        ...(sentinel.password !== undefined && { password: sentinel.password }),
      },
    }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    database: document.database ?? url?.database ?? 0,
    ...(tls !== undefined && { tls }),
  };
}

const MARKERS = { ca: "BEGIN CERTIFICATE", cert: "BEGIN CERTIFICATE", key: "PRIVATE KEY" } as const;

function buildTls({ tls, url }: RedisDocument, context: BuildContext): RedisConfig["tls"] {
  if (tls === undefined) {
    return url?.usesTls === true ? {} : undefined;
  }
  const pem = (key: "ca" | "cert" | "key") => {
    const written = tls[key];
    return written !== undefined && { [key]: readPem(written, ["state", "redis", "tls", key], MARKERS[key], context) };
  };
  return {
    ...pem("ca"),
    ...pem("cert"),
    ...pem("key"),
    ...(tls.serverName !== undefined && { serverName: tls.serverName }),
  };
}
