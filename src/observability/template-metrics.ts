/** What each version of a prompt template did: so that those that share a label's requests can be compared. */
import { INTEGER_FIELD, NUMBER_FIELD } from "../ledger/usage-layout.ts";
import type { UsageRecord } from "../ledger/usage-record.ts";
import type { NameTable } from "../lib/name-table.ts";
import { Histogram } from "./histogram.ts";
import { renderCounter, SeriesTable } from "./series-table.ts";
import type { SeriesLabel } from "./series-table.ts";

/** Columns of a row. */
const REQUESTS_AT = 0;
const PROMPT_TOKENS_AT = 1;
const COMPLETION_TOKENS_AT = 2;
const COST_AT = 3;
const COLUMNS = 4;

/** Counters by template, version and status class. Requests of prompts that have no name are not among them. */
export class TemplateMetrics {
  readonly #counts: SeriesTable;
  readonly #latency: SeriesTable;
  readonly #duration: Histogram;
  readonly #countTuple = new Int32Array(4);
  readonly #latencyTuple = new Int32Array(3);

  /** @param bounds of the histogram of durations, in seconds */
  constructor(names: NameTable, maxSeries: number, maxHistogramSeries: number, bounds: readonly number[]) {
    const gateway: SeriesLabel = { label: "gateway", values: "closed", text: (id) => names.name(id) };
    // the name and the version are one name in the ledger; no template's name has an @
    const part = (label: string, index: number): SeriesLabel => ({
      label,
      values: "open",
      text: (id) => names.name(id).split("@")[index] ?? "",
    });
    const labels = [gateway, part("template", 0), part("version", 1)];
    const status: SeriesLabel = {
      label: "status",
      values: "closed",
      text: (hundreds) => (hundreds === 0 ? "none" : `${hundreds}xx`),
    };
    this.#counts = new SeriesTable([...labels, status], COLUMNS, maxSeries);
    this.#latency = new SeriesTable(labels, Histogram.stride(bounds), maxHistogramSeries);
    this.#duration = new Histogram(
      "sluice_template_request_duration_seconds",
      "From the start of a template's request to its end.",
      0,
      bounds,
    );
  }

  /** How often a version found no room, by set of labels. */
  get overflows(): readonly (readonly [labels: string, count: number])[] {
    return [
      ["templates", this.#counts.overflows],
      ["template_latency", this.#latency.overflows],
    ];
  }

  /** Counts one request, if a template answered. */
  record(record: UsageRecord): void {
    const template = record.integer(INTEGER_FIELD.template);
    if (template === 0) return;
    const gateway = record.integer(INTEGER_FIELD.gateway);
    const counts = this.#countTuple;
    counts[0] = gateway;
    counts[1] = counts[2] = template;
    counts[3] = Math.floor(record.integer(INTEGER_FIELD.status) / 100);
    const row = this.#counts.row(counts);
    const { values } = this.#counts;
    values[row + REQUESTS_AT]! += 1;
    values[row + PROMPT_TOKENS_AT]! += record.number(NUMBER_FIELD.promptTokens);
    values[row + COMPLETION_TOKENS_AT]! += record.number(NUMBER_FIELD.completionTokens);
    values[row + COST_AT]! += record.number(NUMBER_FIELD.costNanoUsd);
    const latency = this.#latencyTuple;
    latency[0] = gateway;
    latency[1] = latency[2] = template;
    const latencyRow = this.#latency.row(latency);
    this.#duration.observe(this.#latency.values, latencyRow, record.number(NUMBER_FIELD.totalMs) / 1000);
  }

  /** Prometheus text, in pieces. */
  *render(): Generator<string> {
    const counter = (offset: number, name: string, help: string): Generator<string> =>
      renderCounter(this.#counts, offset, name, help);
    yield* counter(REQUESTS_AT, "sluice_template_requests_total", "Requests that a prompt template answered.");
    yield* counter(
      PROMPT_TOKENS_AT,
      "sluice_template_prompt_tokens_total",
      "Their prompt tokens, cached ones included.",
    );
    yield* counter(COMPLETION_TOKENS_AT, "sluice_template_completion_tokens_total", "Their completion tokens.");
    yield* counter(COST_AT, "sluice_template_cost_nano_usd_total", "What they cost, in billionths of a dollar.");
    yield* this.#duration.render(this.#latency);
  }
}
