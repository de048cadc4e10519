/** `sluice serve`: runs the gateway until it is told to stop. */
import { Command, InvalidArgumentError } from "commander";
import type { ListenConfig } from "../config/snapshot.ts";
import { ensureFirstKey, type FirstKey } from "../config/first-key.ts";
import { createProcessLog, type ProcessLog } from "../observability/log.ts";
import { SecretMask } from "../observability/secret-mask.ts";
import { PROMETHEUS_CONTENT_TYPE } from "../observability/prometheus.ts";
import { AdminServer } from "../server/admin.ts";
import { Gateway } from "../server/gateway.ts";
import type { ConfigSource } from "../server/messages.ts";
import { Observer } from "../server/observer.ts";
import { listenOption } from "./listen-option.ts";

const DATA_DIR = "data";
/** The time that streams under way get when a second signal forces the end. */
const FORCED_DRAIN_MS = 0;

/** A signal to a whole process group comes twice, from the terminal and passed on by npm: so close together it is one. */
const SAME_SIGNAL_MS = 250;

interface ServeOptions {
  readonly config?: string;
  readonly listen?: ListenConfig;
  readonly adminListen?: ListenConfig;
  readonly workers?: number;
}

export function serveCommand(): Command {
  return new Command("serve")
    .description("run the gateway")
    .option("-c, --config <file>", "configuration file; without it, built-in defaults")
    .option("-l, --listen <host:port>", "where clients connect", listenOption)
    .option(
      "--admin-listen <host:port>",
      "where /healthz, /readyz, /metrics, usage, limits and prompts are",
      listenOption,
    )
    .option("-w, --workers <n>", "worker threads; default one a core", parseWorkers)
    .action(async (options: ServeOptions) => {
      process.exitCode = await serve(options);
    });
}

/** Resolves to the exit code when the gateway has stopped: 0 after a graceful stop, 1 if it could not start. */
async function serve(options: ServeOptions): Promise<number> {
  const mask = new SecretMask();
  const log = createProcessLog({ mask });
  const observer = new Observer(log, mask);
  let firstKey: FirstKey | undefined;
  try {
    firstKey = options.config === undefined ? ensureFirstKey(DATA_DIR) : undefined;
  } catch (error) {
    process.stderr.write(`${startFailure(error, "--listen")}\n`);
    await observer.close();
    return 1;
  }
  const source: ConfigSource =
    options.config === undefined
      ? { kind: "builtin", firstKeyHash: firstKey?.hash ?? "" }
      : { kind: "file", path: options.config };
  const start = { source, listen: options.listen, adminListen: options.adminListen, workers: options.workers };
  const gateway = new Gateway(start, log, observer);
  const admin = new AdminServer({
    isReady: () => gateway.notReady(),
    renderMetrics: () => observer.metrics.render(),
    metricsContentType: PROMETHEUS_CONTENT_TYPE,
    usage: (question) => gateway.usage(question),
    prompts: () => gateway.prompts(),
    limits: gateway.limits,
    tokens: () => gateway.settings?.admin.tokens ?? [],
    onError: (error) => {
      log.error({ err: error }, "the admin port failed");
    },
  });
  let listen: ListenConfig | undefined;
  let adminListen: ListenConfig;
  try {
    listen = await gateway.start();
    adminListen = await admin.listen(gateway.settings!.admin.listen);
  } catch (error) {
    process.stderr.write(`${startFailure(error, listen === undefined ? "--listen" : "--admin-listen")}\n`);
    await gateway.stop(0);
    await observer.close();
    return 1;
  }
  const scheme = gateway.settings?.server.tls === undefined ? "http" : "https";
  const stopped = untilStopped(gateway, observer, log);
  announce(`${scheme}://${addressOf(listen)}`, adminListen, firstKey?.created, options.config);
  const code = await stopped;
  await admin.close();
  await observer.close();
  return code;
}

/** First SIGTERM or SIGINT: graceful stop, exit code 0. Second: at once, 128 + the signal's number. SIGHUP: reload. */
function untilStopped(gateway: Gateway, observer: Observer, log: ProcessLog): Promise<number> {
  process.on("SIGHUP", () => {
    gateway.reload();
    observer.accessLog.reopen();
  });
  const { promise, resolve } = Promise.withResolvers<number>();
  let stoppingSince: number | undefined;
  let code = 0;
  const onSignal = (signal: "SIGTERM" | "SIGINT"): void => {
    const forced = stoppingSince !== undefined;
    if (stoppingSince !== undefined && performance.now() - stoppingSince < SAME_SIGNAL_MS) return;
    stoppingSince ??= performance.now();
    log.info(
      { signal },
      forced ? "stopping now" : "stopping: requests under way may end; a second signal ends them now",
    );
    if (forced) {
      code = signal === "SIGINT" ? 130 : 143;
    }
    // forced, both stops end in this moment, and in any order
    void gateway.stop(forced ? FORCED_DRAIN_MS : undefined).then(() => {
      resolve(code);
    });
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return promise;
}

/** Says where it listens and what to try; on standard error, since standard output may be the access log's. */
function announce(url: string, admin: ListenConfig, createdKey: string | undefined, config: string | undefined): void {
  const lines = [`Sluice listens on ${url} (admin: http://${addressOf(admin)})`];
  if (config === undefined) {
    const key = createdKey ?? "YOUR_KEY";
    lines.push(
      createdKey === undefined
        ? `Your first API key was shown when ${DATA_DIR}/first-key.json was made; delete that file for a new one.`
        : `Your first API key, shown only now: ${createdKey}`,
      "Try it (`echo` is a built-in test model):",
      `  curl ${url}/v1/chat/completions -H 'authorization: Bearer ${key}' \\`,
      `    -H 'content-type: application/json' \\`,
      `    -d '{"model":"echo","messages":[{"role":"user","content":"Hello, Sluice!"}]}'`,
      `OpenAI SDKs: base URL ${url}/v1 · Anthropic SDKs: base URL ${url}`,
      "Your own models: set OPENAI_API_KEY, ANTHROPIC_API_KEY …, or write a file: docs/configuration.md",
    );
  }
  process.stderr.write(`${lines.join("\n")}\n`);
}

function addressOf({ host, port }: ListenConfig): string {
  const shown = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  return `${shown.includes(":") ? `[${shown}]` : shown}:${port}`;
}

/** @param option what names the port that could not be had, if that is the reason */
function startFailure(error: unknown, option: "--listen" | "--admin-listen"): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case "EADDRINUSE":
      return `The port is in use (${message}). Stop what uses it, or choose another with ${option} HOST:PORT.`;
    case "EACCES":
      return `No permission for the port (${message}). Ports below 1024 need privileges; choose another with ${option} HOST:PORT.`;
    default:
      return message;
  }
}

function parseWorkers(value: string): number {
  const workers = Number(value);
  if (!Number.isInteger(workers) || workers < 1 || workers > 1024) {
    throw new InvalidArgumentError("Give a whole number from 1 to 1024.");
  }
  return workers;
}
