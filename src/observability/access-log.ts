import type { UsageRecord } from "../ledger/usage-record.ts";
import type { NameTable } from "../lib/name-table.ts";
import { AccessLogLine } from "./access-log-line.ts";
import { LineAppender } from "./line-appender.ts";
import type { LineAppenderOptions } from "./line-appender.ts";
import { FileTarget, StdoutTarget } from "./line-target.ts";
import type { ProcessLog } from "./log.ts";
import type { MetricFamily } from "./prometheus.ts";

export interface AccessLogOptions {
  readonly names: NameTable;
  /** Told of faults and recoveries. */
  readonly log: Pick<ProcessLog, "error" | "info">;
  readonly appender?: Pick<LineAppenderOptions, "maxBufferedBytes" | "flushMs" | "retryMs" | "maxRetryMs" | "quietMs">;
  /** Milliseconds between checks whether the file was rotated away. */
  readonly rotationCheckMs?: number;
}

const CLOSE_TIMEOUT_MS = 1_000;

/** The access log: one JSON line a request, in the order of ending. It never delays or fails a request. */
export class AccessLog {
  readonly #options: AccessLogOptions;
  readonly #line: AccessLogLine;
  #output = "none";
  #appender: LineAppender | undefined;
  /** Appenders of earlier outputs that still write what they took. */
  readonly #retiring = new Set<LineAppender>();
  /** Counts of appenders that are closed. */
  #written = 0;
  #dropped = 0;

  constructor(options: AccessLogOptions) {
    this.#options = options;
    this.#line = new AccessLogLine(options.names);
  }

  /**
   * Sets where lines go: `stdout`, `none`, or a file's path. What was taken before still goes to the old place.
   * Resolves when the old place is closed, after a second at most.
   */
  async setOutput(output: string): Promise<void> {
    if (output === this.#output) return;
    const before = this.#appender;
    this.#output = output;
    this.#appender = output === "none" ? undefined : this.#open(output);
    await this.#retire(before);
  }

  /** Logs one request: a sink for the usage collector. */
  readonly record = (record: UsageRecord): void => {
    if (this.#appender === undefined) return;
    const length = this.#line.write(record);
    this.#appender.append(this.#line.bytes, length);
  };

  /** Opens the file anew: for SIGHUP after a rotation. (A rotated file is noticed within seconds without it.) */
  reopen(): void {
    this.#appender?.reopen();
  }

  /** Writes what is buffered, for at most a second, and closes. */
  async close(): Promise<void> {
    const appender = this.#appender;
    this.#output = "none";
    this.#appender = undefined;
    await this.#retire(appender);
  }

  /** For `Metrics.addSource`. */
  readonly source = (): readonly MetricFamily[] => {
    const counts = this.#counts();
    return [
      {
        name: "sluice_access_log_lines_total",
        help: "Lines written to the access log.",
        type: "counter",
        samples: [{ value: counts.written }],
      },
      {
        name: "sluice_access_log_dropped_total",
        help: "Lines of the access log that were dropped because they could not be written.",
        type: "counter",
        samples: [{ value: counts.dropped }],
      },
    ];
  };

  #counts(): { readonly written: number; readonly dropped: number } {
    let written = this.#written;
    let dropped = this.#dropped;
    for (const appender of this.#appender === undefined ? this.#retiring : [this.#appender, ...this.#retiring]) {
      const counts = appender.counts();
      written += counts.writtenLines;
      dropped += counts.droppedLines;
    }
    return { written, dropped };
  }

  #open(output: string): LineAppender {
    const { log, appender, rotationCheckMs } = this.#options;
    return new LineAppender({
      ...appender,
      target: output === "stdout" ? new StdoutTarget() : new FileTarget(output, rotationCheckMs ?? 1_000),
      onFault: (error) =>
        log.error(
          { err: error, output },
          "the access log cannot be written; lines are buffered, then dropped and counted, until it can",
        ),
      onRecovery: (droppedLines) => log.info({ output, droppedLines }, "the access log is being written again"),
    });
  }

  async #retire(appender: LineAppender | undefined): Promise<void> {
    if (appender === undefined) return;
    this.#retiring.add(appender);
    await appender.close(CLOSE_TIMEOUT_MS);
    this.#retiring.delete(appender);
    const counts = appender.counts();
    this.#written += counts.writtenLines;
    this.#dropped += counts.droppedLines;
  }
}
