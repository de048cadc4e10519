/** `sluice usage`: what is used of everything that a running gateway limits. */
import { Command } from "commander";
import type { SubjectUsage, UsagePage } from "../quotas/usage-report.ts";
import { type AdminOptions, askAdmin, DEFAULT_ADMIN, exitStatus } from "./admin-client.ts";
import { print } from "./print.ts";
import { tokenOption } from "./token-option.ts";
import { usageFoot, usageHead, usageLines } from "./usage-table.ts";

const PAGE_SIZE = 1_000;

interface UsageOptions extends AdminOptions {
  readonly consumer?: string;
  readonly json?: true;
}

/** Exit status 0 if the gateway answered, 1 if not. */
export function usageCommand(): Command {
  return new Command("usage")
    .description("print what is used of everything that a running gateway limits")
    .option("--admin <url>", "the gateway's admin port", DEFAULT_ADMIN)
    .addOption(tokenOption())
    .option("--consumer <name>", "only what belongs to this consumer")
    .option("--json", "print JSON, as the admin port gives it")
    .action(async (options: UsageOptions) => {
      process.exitCode = await exitStatus(() => usage(options));
    });
}

async function usage({ consumer, json, ...admin }: UsageOptions): Promise<void> {
  const output = json === true ? jsonOutput() : tableOutput();
  for await (const rows of pagesOf(admin, consumer)) {
    output.rows(rows);
  }
  output.end();
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
  let isOverridden = false;
  return {
    rows: (rows) => {
      isOverridden ||= rows.some(({ overridden }) => overridden);
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
      if (isOverridden) {
        print(usageFoot());
      }
    },
  };
}

async function* pagesOf(admin: AdminOptions, consumer: string | undefined): AsyncGenerator<readonly SubjectUsage[]> {
  const path = consumer === undefined ? "/admin/v1/usage" : `/admin/v1/consumers/${encodeURIComponent(consumer)}/usage`;
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const target = `${path}?limit=${PAGE_SIZE}${query}`;
    const page = (await askAdmin(admin, { method: "GET", target }, "usage")) as unknown as UsagePage;
    yield page.usage;
    cursor = page.next;
  } while (cursor !== null);
}
