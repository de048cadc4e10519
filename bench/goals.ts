/** The goals of the design, each checked against the figures of one run. */
import type { Figure } from "./bench.ts";
import { round } from "./bench.ts";
import { CONTESTED_PER_SECOND } from "./limits/protocol.ts";
import type { ScenarioName } from "./options.ts";

export interface GoalResult {
  readonly goal: string;
  readonly measured: string;
  readonly verdict: "pass" | "FAIL" | "not measured";
}

interface Goal {
  readonly text: string;
  /** The quantity that is bounded; NaN: not measured. */
  measure(figures: Figures): number;
  readonly bound: { readonly kind: "at most" | "at least"; readonly value: number };
  readonly unit: string;
}

type Figures = (scenario: ScenarioName, metric: string, peer?: Figure["peer"]) => number;

const REQUEST = "CPU per request";
const CHUNK = "CPU per chunk";

function times(scenario: ScenarioName, metric: string, other: Figure["peer"]): (figures: Figures) => number {
  return (figures) => figures(scenario, metric) / figures(scenario, metric, other);
}

function timesLess(scenario: ScenarioName, metric: string, other: Figure["peer"]): (figures: Figures) => number {
  return (figures) => figures(scenario, metric, other) / figures(scenario, metric);
}

const GOALS: readonly Goal[] = [
  {
    text: "2 KB: CPU per request against nginx",
    measure: times("json-2k", REQUEST, "nginx"),
    bound: { kind: "at most", value: 3.5 },
    unit: "×",
  },
  {
    text: "50 KB: CPU per request against nginx",
    measure: times("json-50k", REQUEST, "nginx"),
    bound: { kind: "at most", value: 4 },
    unit: "×",
  },
  {
    text: "50 KB, model's name last: against nginx",
    measure: times("json-50k-tail", REQUEST, "nginx"),
    bound: { kind: "at most", value: 4 },
    unit: "×",
  },
  {
    text: "SSE at 10,000 chunks/s: CPU per chunk against nginx",
    measure: times("sse-10k", CHUNK, "nginx"),
    bound: { kind: "at most", value: 2 },
    unit: "×",
  },
  {
    text: "SSE at saturation: CPU per chunk against nginx",
    measure: times("sse-saturation", CHUNK, "nginx"),
    bound: { kind: "at most", value: 1.2 },
    unit: "×",
  },
  {
    text: "2 KB: less CPU per request than portkey",
    measure: timesLess("json-2k", REQUEST, "portkey"),
    bound: { kind: "at least", value: 10 },
    unit: "×",
  },
  {
    text: "2 KB: less CPU per request than LiteLLM",
    measure: timesLess("json-2k", REQUEST, "litellm"),
    bound: { kind: "at least", value: 30 },
    unit: "×",
  },
  {
    text: "2 KB: less CPU per request than Bifrost",
    measure: timesLess("json-2k", REQUEST, "bifrost"),
    bound: { kind: "at least", value: 1 },
    unit: "×",
  },
  {
    text: "added at 200 requests/s, p50",
    measure: (figures) => figures("latency", "added p50"),
    bound: { kind: "at most", value: 0.5 },
    unit: "ms",
  },
  {
    text: "added at 200 requests/s, p99",
    measure: (figures) => figures("latency", "added p99"),
    bound: { kind: "at most", value: 2 },
    unit: "ms",
  },
  {
    text: "added to the first token, p50",
    measure: (figures) => figures("first-token", "added p50"),
    bound: { kind: "at most", value: 0.5 },
    unit: "ms",
  },
  {
    text: "RSS of an idle stream",
    measure: (figures) => figures("idle-streams", "RSS per stream"),
    bound: { kind: "at most", value: 30 },
    unit: "KiB",
  },
  {
    text: "streams lost when all end at once",
    measure: (figures) => figures("idle-streams", "lost when all end"),
    bound: { kind: "at most", value: 0 },
    unit: "streams",
  },
  {
    text: "swap of 10,000: main-thread time",
    measure: (figures) => figures("swap", "main thread, CPU beyond the usual"),
    bound: { kind: "at most", value: 100 },
    unit: "ms",
  },
  {
    text: "swap of 10,000: event-loop delay of a worker",
    measure: (figures) => figures("swap", "worker event-loop delay"),
    bound: { kind: "at most", value: 5 },
    unit: "ms",
  },
  {
    text: "swap of 10,000: failed requests",
    measure: (figures) => figures("swap", "failed requests"),
    bound: { kind: "at most", value: 0 },
    unit: "requests",
  },
  {
    text: "throughput of 2 workers against 1",
    measure: (figures) =>
      either(figures("workers", "throughput gained"), figures("workers", "throughput gained (computed)")),
    bound: { kind: "at least", value: 1.8 },
    unit: "×",
  },
  {
    text: "quotas: admission in six limits, and settling",
    measure: (figures) => figures("admission", "CPU per request, six limits"),
    bound: { kind: "at most", value: 3 },
    unit: "µs",
  },
  {
    text: "shared limits: Redis calls of four gateways at full speed",
    measure: (figures) => figures("shared-limits", "Redis calls of the gateways"),
    bound: { kind: "at most", value: 50 },
    unit: "per 1,000 requests",
  },
  {
    text: "shared limits: the least that is used of a contested one",
    measure: (figures) => Math.min(...contested(figures, "utilisation")),
    bound: { kind: "at least", value: 97 },
    unit: "%",
  },
  {
    text: "shared limits: requests beyond a contested one",
    measure: (figures) => Math.max(...contested(figures, "overshoot")),
    bound: { kind: "at most", value: 0 },
    unit: "requests",
  },
  {
    text: "soak: RSS, end against beginning",
    measure: (figures) => figures("soak", "RSS grown"),
    bound: { kind: "at most", value: 1.1 },
    unit: "×",
  },
];

function contested(figures: Figures, metric: string): number[] {
  return CONTESTED_PER_SECOND.map((perSecond) => figures("shared-limits", `${perSecond}/s contested: ${metric}`));
}

/** Every goal with what this run says of it. */
export function checkGoals(all: readonly Figure[]): GoalResult[] {
  const figures: Figures = (scenario, metric, peer = "sluice") =>
    all.find((figure) => figure.scenario === scenario && figure.metric === metric && figure.peer === peer)?.value ??
    Number.NaN;
  return GOALS.map((goal) => {
    const value = goal.measure(figures);
    const text = `${goal.text} ${goal.bound.kind === "at most" ? "≤" : "≥"} ${goal.bound.value} ${goal.unit}`;
    if (Number.isNaN(value)) {
      return { goal: text, measured: "–", verdict: "not measured" };
    }
    const reached = goal.bound.kind === "at most" ? value <= goal.bound.value : value >= goal.bound.value;
    return { goal: text, measured: `${round(value)} ${goal.unit}`, verdict: reached ? "pass" : "FAIL" };
  });
}

function either(first: number, second: number): number {
  return Number.isNaN(first) ? second : first;
}
