/** One connection to Redis: a server, the master that sentinels name, or a cluster. It is made anew when it fails. */
import type { RedisConfig, RedisNode } from "../../config/snapshot.ts";
import { hash } from "node:crypto";

/** The client library: loading it takes 0.1 seconds, which only who has a Redis pays. */
const library = () => import("@redis/client");

/** The longest that connecting may take, in milliseconds, with handshakes and all nodes. */
const CONNECT_TIMEOUT_MS = 3_000;
/** Commands that may wait for their answers, a server; more are refused. */
const MAX_QUEUE = 1_000;
const DEFAULT_PORT = 6_379;
const DEFAULT_SENTINEL_PORT = 26_379;

/** Of commands of ours: failures are watched by `RedisAuthority`, which has its own clock. */
const NO_TIMEOUT = { timeout: 0 };

/** An open connection. */
export interface RedisConnection {
  /** Keys of one call must lie in one slot. */
  readonly isCluster: boolean;
  /** Runs a script. Rejects with the client's error, when the connection is lost at the latest. */
  run(script: RedisScript, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /** Closes it at once; what is under way is rejected. */
  destroy(): void;
}

/** A script, with the name that a server knows it by once it has run it. */
export interface RedisScript {
  readonly text: string;
  readonly sha1: string;
}

export function redisScript(text: string): RedisScript {
  return { text, sha1: hash("sha1", text) };
}

/**
 * Connects, once.
 * @param onLost told why an open connection no longer is; it is to be destroyed then
 * @throws the client's error, within 3 seconds
 */
export async function connectRedis(config: RedisConfig, onLost: (error: unknown) => void): Promise<RedisConnection> {
  const attempt = new Attempt(onLost);
  const { promise: tooLong, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(attempt.lastError ?? Object.assign(new Error("no connection within 3 s"), { code: "ETIMEDOUT" }));
  }, CONNECT_TIMEOUT_MS);
  try {
    return await Promise.race([open(config, attempt), tooLong]);
  } catch (error) {
    attempt.abandon();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** What was opened so far, to be closed if the rest fails. */
class Attempt {
  lastError: unknown;
  readonly #onLost: (error: unknown) => void;
  readonly #opened = new Set<{ destroy(): void; isOpen: boolean }>();
  #isOver = false;
  #isOpen = false;

  constructor(onLost: (error: unknown) => void) {
    this.#onLost = onLost;
  }

  add(client: { destroy(): void; isOpen: boolean }): void {
    if (this.#isOver) {
      throw new Error("the connection was abandoned");
    }
    this.#opened.add(client);
  }

  /** From now on an error is a loss. */
  opened(): void {
    this.#isOpen = true;
  }

  failed(error: unknown): void {
    this.lastError = error;
    if (this.#isOpen && !this.#isOver) {
      this.#onLost(error);
    }
  }

  abandon(): void {
    this.#isOver = true;
    for (const client of this.#opened) {
      if (client.isOpen) {
        client.destroy();
      }
    }
  }
}

async function open(config: RedisConfig, attempt: Attempt): Promise<RedisConnection> {
  switch (config.kind) {
    case "server":
      return openServer(config, config.nodes[0]!, attempt);
    case "sentinel":
      return openServer(config, await findMaster(config, attempt), attempt);
    case "cluster":
      return openCluster(config, attempt);
  }
}

function socketOptions({ tls }: RedisConfig, node: RedisNode | undefined, defaultPort = DEFAULT_PORT) {
  const common = {
    ...(node && { host: node.host, port: node.port ?? defaultPort }),
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectStrategy: false as const,
  };
  if (tls === undefined) {
    return common;
  }
  const servername =
    tls.serverName ?? (node && /[a-z]/i.test(node.host) && !node.host.includes(":") ? node.host : undefined);
  return {
    ...common,
    tls: true as const,
    ...(tls.ca !== undefined && { ca: tls.ca }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key }),
    ...(servername !== undefined && { servername }),
  };
}

/** RESP 2, without naming ourselves: that needs no permission beyond the commands of the script. */
const COMMON = {
  RESP: 2 as const,
  disableOfflineQueue: true,
  disableClientInfo: true,
  maintNotifications: "disabled" as const,
  commandsQueueMaxLength: MAX_QUEUE,
};

function credentials(username: string | undefined, password: string | undefined) {
  return { ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
}

async function openServer(config: RedisConfig, node: RedisNode, attempt: Attempt): Promise<RedisConnection> {
  const { createClient } = await library();
  const client = createClient({
    ...COMMON,
    ...credentials(config.username, config.password),
    socket: socketOptions(config, node),
    database: config.database,
  });
  attempt.add(client);
  client.on("error", (error) => {
    attempt.failed(error);
  });
  await client.connect();
  // Whether a password is missing is said in answer to this, while the script's call is too large to be read without one.
  await client.sendCommand(["TIME"], NO_TIMEOUT);
  attempt.opened();
  return {
    isCluster: false,
    run: (script, keys, args) =>
      evaluate(script, keys, args, (command) => client.sendCommand([...command], NO_TIMEOUT)),
    destroy: () => {
      attempt.abandon();
    },
  };
}

/** Asks the sentinels in turn. */
async function findMaster(config: RedisConfig, attempt: Attempt): Promise<RedisNode> {
  const { sentinel } = config;
  if (sentinel === undefined) {
    throw new Error("no sentinel is configured");
  }
  const { createClient } = await library();
  for (const node of config.nodes) {
    const client = createClient({
      ...COMMON,
      ...credentials(sentinel.username, sentinel.password),
      socket: { ...socketOptions(config, node, DEFAULT_SENTINEL_PORT), connectTimeout: 1_000 },
    });
    attempt.add(client);
    client.on("error", (error) => {
      attempt.failed(error);
    });
    try {
      await client.connect();
      const answer: unknown = await client.sendCommand(
        ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinel.master],
        NO_TIMEOUT,
      );
      if (Array.isArray(answer) && typeof answer[0] === "string") {
        return { host: answer[0], port: Number(answer[1]) };
      }
      attempt.lastError = new Error(`the sentinels know no master ${JSON.stringify(sentinel.master)}`);
    } catch (error) {
      attempt.lastError = error;
    } finally {
      if (client.isOpen) {
        client.destroy();
      }
    }
  }
  throw attempt.lastError instanceof Error ? attempt.lastError : new Error("no sentinel answers");
}

async function openCluster(config: RedisConfig, attempt: Attempt): Promise<RedisConnection> {
  const { createCluster, RootNodesUnavailableError } = await library();
  const cluster = createCluster({
    RESP: 2,
    rootNodes: config.nodes.map((node) => ({ socket: socketOptions(config, node) })),
    defaults: {
      ...COMMON,
      ...credentials(config.username, config.password),
      socket: { ...socketOptions(config, undefined), reconnectStrategy: reconnectInMs },
    },
    maxCommandRedirections: 4,
    topologyRefreshOnReconnectionAttemptStrategy: 500,
  });
  attempt.add(cluster);
  // A node that is gone is reported by the commands that need it; the others go on.
  cluster.on("error", (error) => {
    attempt.lastError = error;
  });
  cluster.on("node-error", (error) => {
    attempt.lastError = error;
  });
  await cluster.connect().catch((error: unknown) => {
    // that no node can be asked is said of each node alike; what one of them said tells more
    throw error instanceof RootNodesUnavailableError ? (attempt.lastError ?? error) : error;
  });
  attempt.opened();
  return {
    isCluster: true,
    run: (script, keys, args) =>
      evaluate(script, keys, args, (command) => cluster.sendCommand(keys[0], false, [...command], NO_TIMEOUT)),
    destroy: () => {
      attempt.abandon();
    },
  };
}

function reconnectInMs(retries: number): number {
  return Math.min(1_000, 50 * 2 ** Math.min(retries, 5)) + Math.floor(Math.random() * 50);
}

async function evaluate(
  script: RedisScript,
  keys: readonly string[],
  args: readonly string[],
  send: (command: readonly string[]) => Promise<unknown>,
): Promise<unknown> {
  const rest = [String(keys.length), ...keys, ...args];
  try {
    return await send(["EVALSHA", script.sha1, ...rest]);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) {
      throw error;
    }
    return send(["EVAL", script.text, ...rest]);
  }
}
