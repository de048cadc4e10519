import type { Figure } from "./bench.ts";
import { round } from "./bench.ts";
import type { GoalResult } from "./goals.ts";
import type { Machine } from "./machine.ts";
import type { Options } from "./options.ts";
import type { MissingPeer, ReportedPeer } from "./peers/contract.ts";

/** A whole run, as `--json` prints it. */
export interface Report {
  readonly date: string;
  readonly machine: Machine;
  readonly options: Pick<Options, "rounds" | "cpuSeconds" | "scenarios">;
  readonly peers: readonly ReportedPeer[];
  readonly missing: readonly MissingPeer[];
  readonly figures: readonly Figure[];
  readonly goals: readonly GoalResult[];
  readonly remarks: readonly string[];
}

/** The run as a Markdown page: readable on a terminal as well. */
export function markdown(report: Report): string {
  const { machine, options } = report;
  return [
    `# Benchmark of ${report.date.slice(0, 10)}`,
    "",
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Linux ${machine.kernel}; Node ${machine.node}; commit ${machine.commit}; load average before ${round(machine.loadBefore)}.`,
    `Medians of ${options.rounds} rounds in turn (A B A B), each ${options.cpuSeconds} s of CPU time of what is measured. In brackets: spread of the rounds, and × nginx of this run.`,
    "",
    ...figureTable(report.figures),
    "",
    "## Goals",
    "",
    ...align([["goal", "measured", ""], ...report.goals.map((goal) => [goal.goal, goal.measured, goal.verdict])]),
    "",
    "## Peers",
    "",
    ...align([
      ["peer", "version", "what was on"],
      ...report.peers.map((peer) => [peer.name, peer.version, peer.features]),
      ...report.missing.map((peer) => [peer.name, "not here", peer.reason]),
    ]),
    ...(report.remarks.length === 0 ? [] : ["", "## Remarks", "", ...report.remarks.map((remark) => `- ${remark}`)]),
    "",
  ].join("\n");
}

function figureTable(figures: readonly Figure[]): string[] {
  const peers = [...new Set(figures.map((figure) => figure.peer))].toSorted((a, b) => rank(a) - rank(b));
  const rows = new Map<string, Map<string, Figure>>();
  for (const figure of figures) {
    const label = `${figure.scenario}: ${figure.metric}, ${figure.unit}`;
    const row = rows.get(label) ?? new Map<string, Figure>();
    row.set(figure.peer, figure);
    rows.set(label, row);
  }
  const lines = [["", ...peers]];
  for (const [label, row] of rows) {
    lines.push([label, ...peers.map((peer) => cell(row.get(peer), row.get("nginx")))]);
  }
  return align(lines);
}

function rank(peer: Figure["peer"]): number {
  return ["direct", "nginx", "sluice", "bifrost", "portkey", "litellm", "rate-limiter-flexible"].indexOf(peer);
}

function cell(figure: Figure | undefined, nginx: Figure | undefined): string {
  if (figure === undefined) {
    return "";
  }
  const notes: string[] = [];
  if (figure.rounds.length > 1) {
    notes.push(`${round(Math.min(...figure.rounds))}–${round(Math.max(...figure.rounds))}`);
  }
  if (nginx !== undefined && nginx !== figure && nginx.value > 0 && /^CPU|^RSS/.test(figure.metric)) {
    notes.push(`${round(figure.value / nginx.value)} ×`);
  }
  return `${round(figure.value)}${notes.length > 0 ? ` (${notes.join("; ")})` : ""}`;
}

/** Rows of a Markdown table with their columns aligned. */
function align(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((text, column) => (widths[column] = Math.max(widths[column] ?? 3, text.length)));
  }
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? "").padEnd(width)).join(" | ")} |`;
  const [head, ...rest] = rows;
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [line(head ?? []), rule, ...rest.map(line)];
}
