/** `sluice usage`: what is used of everything that a running gateway limits. */
import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import { Command } from "commander";
import type { SubjectUsage, UsagePage } from "../quotas/usage-report.ts";
import { print } from "./print.ts";
import { usageHead, usageLines } from "./usage-table.ts";

const DEFAULT_ADMIN = "http://127.0.0.1:8081";
const PAGE_SIZE = 1_000;
const TIMEOUT_MS = 10_000;
/** What the report itself may answer instead; anything else comes from elsewhere. */
const ADMIN_CODES: ReadonlySet<string> = new Set([
  "consumer_not_found",
  "invalid_request",
  "usage_unavailable",
  "internal_error",
]);

interface UsageOptions {
  readonly admin: string;
  readonly consumer?: string;
  readonly json?: true;
}

/** Exit status 0 if the gateway answered, 1 if not. */
export function usageCommand(): Command {
  return new Command("usage")
    .description("print what is used of everything that a running gateway limits")
    .option("--admin <url>", "the gateway's admin port", DEFAULT_ADMIN)
    .option("--consumer <name>", "only what belongs to this consumer")
    .option("--json", "print JSON, as the admin port gives it")
    .action(async (options: UsageOptions) => {
      process.exitCode = await usage(options);
    });
}

async function usage({ admin, consumer, json }: UsageOptions): Promise<number> {
  try {
    const output = json === true ? jsonOutput() : tableOutput();
    for await (const rows of pagesOf(admin, consumer)) {
      output.rows(rows);
    }
    output.end();
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) {
      throw error;
    }
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

/** The report cannot be had; the message says what to do. */
class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Rows as they come: there may be a million. */
interface Output {
  readonly rows: (rows: readonly SubjectUsage[]) => void;
  readonly end: () => void;
}

function jsonOutput(): Output {
  let separator = "\n";
  print('{"usage":[');
  return {
    rows: (rows) => {
      for (const row of rows) {
        print(`${separator}${JSON.stringify(row)}`);
        separator = ",\n";
      }
    },
    end: () => {
      print('\n],"next":null}\n');
    },
  };
}

function tableOutput(): Output {
  let count = 0;
  return {
    rows: (rows) => {
      if (count === 0 && rows.length > 0) {
        print(usageHead());
      }
      count += rows.length;
      print(rows.flatMap(usageLines).join(""));
    },
    end: () => {
      if (count === 0) {
        print("Nothing is limited. Limits are written into the configuration: docs/quotas.md.\n");
      }
    },
  };
}

async function* pagesOf(admin: string, consumer: string | undefined): AsyncGenerator<readonly SubjectUsage[]> {
  const path = consumer === undefined ? "/admin/v1/usage" : `/admin/v1/consumers/${encodeURIComponent(consumer)}/usage`;
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page: UsagePage = await get(admin, `${path}?limit=${PAGE_SIZE}${query}`);
    yield page.usage;
    cursor = page.next;
  } while (cursor !== null);
}

async function get(admin: string, target: string): Promise<UsagePage> {
  const url = urlOf(admin, target);
  let status: number;
  let body: unknown;
  try {
    const answer = await fetchText(url);
    status = answer.status;
    body = answer.text.startsWith("{") ? JSON.parse(answer.text) : undefined;
  } catch (error) {
    throw new UsageError(
      `No gateway answers at ${url.origin} (${reasonOf(error)}). Is it running? Give its admin.listen with --admin URL.`,
    );
  }
  const { usage, error } = (body ?? {}) as Partial<UsagePage> & { readonly error?: Record<string, unknown> };
  if (status === 200 && Array.isArray(usage)) {
    return body as UsagePage;
  }
  if (ADMIN_CODES.has(String(error?.["code"]))) {
    throw new UsageError(String(error?.["message"]));
  }
  throw new UsageError(
    `What answers at ${url.origin} (status ${status}) is not the admin port of this Sluice. Give its admin.listen with --admin URL.`,
  );
}

function urlOf(admin: string, target: string): URL {
  const base = URL.parse(admin.includes("://") ? admin : `http://${admin}`);
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new UsageError(`--admin ${admin} is no URL; one looks like ${DEFAULT_ADMIN}`);
  }
  return new URL(target, base.origin);
}

/** Not `fetch`, which refuses some ports that a gateway may well have. */
async function fetchText(url: URL): Promise<{ readonly status: number; readonly text: string }> {
  const { get } = url.protocol === "https:" ? https : http;
  const request = get(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  let text = "";
  for await (const part of response.setEncoding("utf8") as AsyncIterable<string>) {
    text += part;
  }
  return { status: response.statusCode ?? 0, text };
}

function reasonOf(error: unknown): string {
  const { code, message, name } = error as { readonly code?: unknown; readonly message: string; readonly name: string };
  if (name === "AbortError") {
    return `nothing within ${TIMEOUT_MS / 1_000} s`;
  }
  return typeof code === "string" ? code : message;
}
