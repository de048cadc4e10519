/** `sluice limits`: limits of a running gateway that are set at run time instead of the file's. */
import { Command } from "commander";
import { isObject, type JsonObject } from "../lib/json.ts";
import { SUBJECT_PARTS, SUBJECT_TYPES } from "../quotas/bucket.ts";
import {
  AdminError,
  type AdminOptions,
  type AdminRequest,
  askAdmin,
  DEFAULT_ADMIN,
  exitStatus,
} from "./admin-client.ts";
import { print } from "./print.ts";
import { tokenOption } from "./token-option.ts";
import { printable } from "./usage-table.ts";

const PATH = "/admin/v1/limits";
const KINDS = `KIND is one of ${SUBJECT_TYPES.join(", ")}; NAME is its name, or names with slashes between: search, search/fast.`;
/** What may be written `key=value`: numbers, and texts. */
const NUMBERS = ["rpm", "tpm", "concurrency", "monthly.tokens", "monthly.usd"];
const TEXTS = ["burst", "mode"];

interface LimitsOptions extends AdminOptions {
  readonly json?: true;
}

/** Exit status 0 if the gateway did what it was asked, 1 if not. */
export function limitsCommand(): Command {
  const command = new Command("limits")
    .description("print, set and remove limits of a running gateway that hold instead of the file's")
    .addHelpText("after", `\n${KINDS}`);
  withOptions(command.command("list", { isDefault: true }))
    .description("print what was set at run time, by whom, and what the file says")
    .action(async (options: LimitsOptions) => {
      process.exitCode = await exitStatus(() => list(options));
    });
  withOptions(command.command("set"))
    .description("set limits of one subject, instead of all that the file says of it")
    .argument("<kind>", SUBJECT_TYPES.join(", "))
    .argument("<name>", "its name, or names with slashes between")
    .argument("[limits...]", `${[...NUMBERS, ...TEXTS].map((key) => `${key}=…`).join(" ")}; \`none\` lifts all limits`)
    .action(async (kind: string, name: string, limits: string[], options: LimitsOptions) => {
      process.exitCode = await exitStatus(() => change(options, "PUT", [kind, name], bodyOf(limits)));
    });
  withOptions(command.command("unset"))
    .description("remove what was set: what the file says holds again")
    .argument("<kind>", SUBJECT_TYPES.join(", "))
    .argument("<name>", "its name, or names with slashes between")
    .action(async (kind: string, name: string, options: LimitsOptions) => {
      process.exitCode = await exitStatus(() => change(options, "DELETE", [kind, name]));
    });
  return command;
}

function withOptions(command: Command): Command {
  return command
    .option("--admin <url>", "the gateway's admin port", DEFAULT_ADMIN)
    .addOption(tokenOption())
    .option("--json", "print JSON, as the admin port gives it");
}

async function list(options: LimitsOptions): Promise<void> {
  const answer = await askAdmin(options, { method: "GET", target: PATH }, "limits");
  if (options.json === true) {
    print(`${JSON.stringify(answer, undefined, 2)}\n`);
    return;
  }
  const rows = answer["limits"] as JsonObject[];
  print(
    rows.length === 0
      ? "No limits are set at run time: what the file says holds. `sluice limits set KIND NAME rpm=100` sets some.\n"
      : rows.map(describe).join(""),
  );
}

async function change(
  options: LimitsOptions,
  method: "PUT" | "DELETE",
  [kind, name]: readonly [string, string],
  body?: string,
): Promise<void> {
  const target = `${PATH}/${pathOf(kind, name)}`;
  const request: AdminRequest = { method, target, ...(body !== undefined && { body }) };
  const answer = await askAdmin(options, request, "subject");
  print(options.json === true ? `${JSON.stringify(answer, undefined, 2)}\n` : describe(answer));
}

/** Slashes stay what they are, and so does what is percent-encoded as `sluice usage` shows it. @throws AdminError */
function pathOf(kind: string, name: string): string {
  const type = SUBJECT_TYPES.find((known) => known === kind);
  if (type === undefined) {
    throw new AdminError(`${kind} is no kind of subject. ${KINDS}`);
  }
  const names = name.split("/");
  const parts = SUBJECT_PARTS[type];
  if (names.length < parts.length || names.includes("")) {
    throw new AdminError(`${name} names no ${kind}; write ${parts.map((part) => part.toUpperCase()).join("/")}.`);
  }
  return [kind, ...names.map((part) => encodeURIComponent(part).replaceAll(/%25(?=2F|25)/gi, "%"))].join("/");
}

/** @throws AdminError */
function bodyOf(assignments: readonly string[]): string {
  if (assignments.length === 1 && assignments[0] === "none") {
    return "{}";
  }
  if (assignments.length === 0) {
    throw new AdminError("Say which limits: rpm=100 tpm=200000, or `none` to lift all.");
  }
  const limits: JsonObject = {};
  for (const assignment of assignments) {
    const [, key = "", value = ""] = /^([a-zA-Z.]+)=(.+)$/.exec(assignment) ?? [];
    if (!NUMBERS.includes(key) && !TEXTS.includes(key)) {
      const known = [...NUMBERS, ...TEXTS].join(", ");
      throw new AdminError(`${assignment} is no limit; one looks like rpm=100. There are ${known}.`);
    }
    const [first = "", second] = key.split(".");
    // what is no number is said so by the gateway, in its own words
    const amount = NUMBERS.includes(key) && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
    limits[first] = second === undefined ? amount : { ...(limits[first] as JsonObject | undefined), [second]: amount };
  }
  return JSON.stringify(limits);
}

/** A subject as people read it: what holds, what the file says, and who set it. */
function describe({ subject, holds, file, set }: JsonObject): string {
  const lines = [`${String(subject)}: ${limitsText(holds)}`];
  if (isObject(set)) {
    const { at, by, from, on, reach, inForce, reason, limits } = set;
    const who = by === "" ? "" : ` by ${String(by)}`;
    lines.push(
      `  the file says: ${limitsText(file)}`,
      `  set ${String(at)}${who} from ${String(from)} on ${String(on)}; ${REACH[String(reach)] ?? String(reach)}`,
    );
    if (inForce === false) {
      lines.push(`  has no effect (${limitsText(limits)}): ${String(reason)}`);
    }
  } else {
    lines.push("  as the file says");
  }
  return lines.map((line) => `${printable(line)}\n`).join("");
}

const REACH: Readonly<Record<string, string>> = {
  machine: "on this machine only",
  all: "on all machines",
  pending: "on this machine; on all when Redis is back",
};

function limitsText(limits: unknown): string {
  if (typeof limits !== "object" || limits === null) {
    return "no limits";
  }
  const { monthly, ...others } = limits as JsonObject;
  const flat = [
    ...Object.entries(others),
    ...Object.entries((monthly ?? {}) as JsonObject).map(([key, value]) => [`monthly.${key}`, value] as const),
  ];
  return flat.length === 0 ? "no limits" : flat.map(([key, value]) => `${key}=${String(value)}`).join(" ");
}
