import pino from "pino";
import type { DestinationStream, Level, Logger } from "pino";
import { LogDestination } from "./log-destination.ts";
import { SecretMask } from "./secret-mask.ts";

export type ProcessLog = Logger;

/** Keys whose values never reach the log, at the top and one or two levels down. */
const SECRET_KEYS = [
  "apiKey",
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "x-api-key",
  "api-key",
  "x-goog-api-key",
  "password",
  "secret",
  "token",
];
const LEVELS: readonly string[] = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] satisfies (
  | Level
  | "silent"
)[];

export interface ProcessLogOptions {
  /** `fatal` … `trace` or `silent`; by default SLUICE_LOG_LEVEL, else `info`. */
  readonly level?: string;
  /** Where lines go; by default standard error, so that standard output is the access log's. */
  readonly destination?: DestinationStream;
  /** Known secrets, replaced wherever they turn up in a line. */
  readonly mask?: SecretMask;
}

/**
 * The process log: JSON lines about Sluice itself (start, configuration, faults), for those who operate it. Secret
 * fields are left out by name; known secrets and what looks like a key are masked wherever they stand.
 */
export function createProcessLog(options: ProcessLogOptions = {}): ProcessLog {
  const mask = options.mask ?? new SecretMask();
  const wanted = options.level ?? process.env["SLUICE_LOG_LEVEL"] ?? "info";
  const known = LEVELS.includes(wanted);
  const destination = options.destination ?? new LogDestination();
  const log = pino(
    {
      level: known ? wanted : "info",
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretPaths(), censor: "[redacted]" },
      hooks: { streamWrite: (line) => mask.apply(line) },
    },
    destination,
  );
  if (!known) log.warn({ level: wanted }, `SLUICE_LOG_LEVEL is none of ${LEVELS.join(", ")}; using info`);
  return log;
}

function secretPaths(): string[] {
  return SECRET_KEYS.flatMap((key) => [`["${key}"]`, `*["${key}"]`, `*.*["${key}"]`]);
}
