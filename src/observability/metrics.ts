import { OUTCOMES } from "../ledger/entry.ts";
import { FLAG, INTEGER_FIELD, NUMBER_FIELD } from "../ledger/usage-layout.ts";
import type { IntegerField } from "../ledger/usage-layout.ts";
import type { UsageRecord } from "../ledger/usage-record.ts";
import type { NameTable } from "../lib/name-table.ts";
import { Histogram } from "./histogram.ts";
import { renderFamily } from "./prometheus.ts";
import type { MetricSource } from "./prometheus.ts";
import { renderCounter, SeriesTable } from "./series-table.ts";
import type { SeriesLabel } from "./series-table.ts";
import { TemplateMetrics } from "./template-metrics.ts";

// Bucket bounds in seconds: those of the OpenTelemetry GenAI semantic conventions for the duration of an operation,
// the time to the first token and the time per output token; the duration's go on to ten minutes (long reasoning).
const DURATION_BOUNDS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68, 655.36,
];
const FIRST_TOKEN_BOUNDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120,
];
const OUTPUT_TOKEN_BOUNDS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];

const REQUEST_FIELDS = [
  INTEGER_FIELD.gateway,
  INTEGER_FIELD.domain,
  INTEGER_FIELD.route,
  INTEGER_FIELD.operation,
  INTEGER_FIELD.consumer,
  INTEGER_FIELD.model,
  INTEGER_FIELD.provider,
  INTEGER_FIELD.upstreamModel,
] as const;
const USAGE_FIELDS = [
  INTEGER_FIELD.gateway,
  INTEGER_FIELD.domain,
  INTEGER_FIELD.consumer,
  INTEGER_FIELD.model,
  INTEGER_FIELD.provider,
  INTEGER_FIELD.upstreamModel,
] as const;
const LATENCY_FIELDS = [
  INTEGER_FIELD.gateway,
  INTEGER_FIELD.model,
  INTEGER_FIELD.provider,
  INTEGER_FIELD.upstreamModel,
] as const;
const ERROR_FIELDS = [
  INTEGER_FIELD.gateway,
  INTEGER_FIELD.domain,
  INTEGER_FIELD.model,
  INTEGER_FIELD.provider,
  INTEGER_FIELD.error,
] as const;

const LABELS = new Map<IntegerField, string>([
  [INTEGER_FIELD.gateway, "gateway"],
  [INTEGER_FIELD.domain, "domain"],
  [INTEGER_FIELD.route, "route"],
  [INTEGER_FIELD.operation, "operation"],
  [INTEGER_FIELD.consumer, "consumer"],
  [INTEGER_FIELD.model, "model"],
  [INTEGER_FIELD.provider, "provider"],
  [INTEGER_FIELD.upstreamModel, "upstream_model"],
  [INTEGER_FIELD.error, "error"],
]);

/** Counters of the usage table: name, help, and where the amount stands in a record. */
const USAGE_COUNTERS = [
  [
    "sluice_prompt_tokens_total",
    "Prompt tokens, cached ones and those written to a cache included.",
    NUMBER_FIELD.promptTokens,
  ],
  ["sluice_cached_prompt_tokens_total", "Prompt tokens read from the provider's cache.", NUMBER_FIELD.cachedTokens],
  [
    "sluice_cache_write_prompt_tokens_total",
    "Prompt tokens written to the provider's cache.",
    NUMBER_FIELD.cacheWriteTokens,
  ],
  ["sluice_completion_tokens_total", "Completion tokens, reasoning included.", NUMBER_FIELD.completionTokens],
  ["sluice_reasoning_tokens_total", "Completion tokens spent on reasoning.", NUMBER_FIELD.reasoningTokens],
  ["sluice_cost_nano_usd_total", "What tokens cost, in billionths of a dollar.", NUMBER_FIELD.costNanoUsd],
  ["sluice_request_bytes_total", "Bytes of request bodies received from clients.", NUMBER_FIELD.bytesIn],
  ["sluice_response_bytes_total", "Bytes of answer bodies sent to clients.", NUMBER_FIELD.bytesOut],
] as const;
const ATTEMPTS_AT = USAGE_COUNTERS.length;
const ESTIMATED_AT = ATTEMPTS_AT + 1;

export interface MetricsOptions {
  readonly names: NameTable;
  /** Series that a set of labels may have before further ones are counted as `other`. */
  readonly maxSeries?: number;
  /** The same for histograms, which take some fifty lines a series. */
  readonly maxHistogramSeries?: number;
}

/** Totals over all usage records, and their text for Prometheus. Lives on the main thread. */
export class Metrics {
  readonly #requests: SeriesTable;
  readonly #usage: SeriesTable;
  readonly #latency: SeriesTable;
  readonly #errors: SeriesTable;
  readonly #templates: TemplateMetrics;
  readonly #requestTuple = new Int32Array(REQUEST_FIELDS.length + 2);
  readonly #usageTuple = new Int32Array(USAGE_FIELDS.length);
  readonly #latencyTuple = new Int32Array(LATENCY_FIELDS.length + 1);
  readonly #errorTuple = new Int32Array(ERROR_FIELDS.length);
  readonly #duration: Histogram;
  readonly #firstToken: Histogram;
  readonly #outputToken: Histogram;
  readonly #sources: MetricSource[] = [];

  constructor(options: MetricsOptions) {
    const maxSeries = options.maxSeries ?? 10_000;
    const maxHistogramSeries = options.maxHistogramSeries ?? 500;
    const label = (field: IntegerField): SeriesLabel => ({
      label: LABELS.get(field) ?? "",
      values: field === INTEGER_FIELD.gateway ? "closed" : "open",
      text: (id) => options.names.name(id),
    });
    const outcome: SeriesLabel = { label: "outcome", values: "closed", text: (index) => OUTCOMES[index] ?? "" };
    const status: SeriesLabel = { label: "status", values: "closed", text: String };
    const stream: SeriesLabel = {
      label: "stream",
      values: "closed",
      text: (value) => (value === 1 ? "true" : "false"),
    };
    this.#requests = new SeriesTable([...REQUEST_FIELDS.map(label), outcome, status], 1, maxSeries);
    this.#usage = new SeriesTable(USAGE_FIELDS.map(label), ESTIMATED_AT + 1, maxSeries);
    this.#errors = new SeriesTable(ERROR_FIELDS.map(label), 1, maxSeries);
    const firstTokenAt = Histogram.stride(DURATION_BOUNDS);
    const outputTokenAt = firstTokenAt + Histogram.stride(FIRST_TOKEN_BOUNDS);
    const stride = outputTokenAt + Histogram.stride(OUTPUT_TOKEN_BOUNDS);
    this.#latency = new SeriesTable([...LATENCY_FIELDS.map(label), stream], stride, maxHistogramSeries);
    this.#templates = new TemplateMetrics(options.names, maxSeries, maxHistogramSeries, DURATION_BOUNDS);
    this.#duration = new Histogram(
      "sluice_request_duration_seconds",
      "From the start of a request to its end.",
      0,
      DURATION_BOUNDS,
    );
    this.#firstToken = new Histogram(
      "sluice_time_to_first_token_seconds",
      "From the start of a request to the first content token; for a whole answer, to its head.",
      firstTokenAt,
      FIRST_TOKEN_BOUNDS,
    );
    this.#outputToken = new Histogram(
      "sluice_time_per_output_token_seconds",
      "Mean time between the tokens of a streamed answer after the first.",
      outputTokenAt,
      OUTPUT_TOKEN_BOUNDS,
    );
  }

  /** Adds metrics that are computed at each scrape. */
  addSource(source: MetricSource): void {
    this.#sources.push(source);
  }

  /** Counts one request. */
  record(record: UsageRecord): void {
    this.#countRequest(record);
    this.#countUsage(record);
    this.#countError(record);
    this.#observeLatency(record);
    this.#templates.record(record);
  }

  /** Everything as Prometheus text, in pieces of some kilobytes: there may be megabytes, and the thread has other work. */
  *render(): Generator<string> {
    yield* renderCounter(this.#requests, 0, "sluice_requests_total", "Requests that ended.");
    yield* renderCounter(this.#errors, 0, "sluice_errors_total", "Requests that ended with an error code of Sluice.");
    for (const [offset, [name, help]] of USAGE_COUNTERS.entries())
      yield* renderCounter(this.#usage, offset, name, help);
    yield* renderCounter(
      this.#usage,
      ATTEMPTS_AT,
      "sluice_upstream_attempts_total",
      "Hits on upstreams, retries and fallbacks included.",
    );
    yield* renderCounter(
      this.#usage,
      ESTIMATED_AT,
      "sluice_estimated_usage_requests_total",
      "Requests whose tokens Sluice counted itself.",
    );
    yield* this.#duration.render(this.#latency);
    yield* this.#firstToken.render(this.#latency);
    yield* this.#outputToken.render(this.#latency);
    yield* this.#templates.render();
    yield this.#renderOverflows();
    for (const source of this.#sources) for (const family of source()) yield renderFamily(family);
  }

  #countRequest(record: UsageRecord): void {
    const tuple = this.#requestTuple;
    const width = REQUEST_FIELDS.length;
    for (let column = 0; column < width; column++)
      tuple[column] = record.integer(REQUEST_FIELDS[column] ?? INTEGER_FIELD.gateway);
    tuple[width] = record.outcomeIndex;
    tuple[width + 1] = record.integer(INTEGER_FIELD.status);
    const row = this.#requests.row(tuple);
    this.#requests.values[row] = (this.#requests.values[row] ?? 0) + 1;
  }

  #countUsage(record: UsageRecord): void {
    const tuple = this.#usageTuple;
    for (let column = 0; column < USAGE_FIELDS.length; column++)
      tuple[column] = record.integer(USAGE_FIELDS[column] ?? INTEGER_FIELD.gateway);
    const row = this.#usage.row(tuple);
    const values = this.#usage.values;
    for (let counter = 0; counter < ATTEMPTS_AT; counter++) {
      const field = USAGE_COUNTERS[counter]?.[2];
      if (field !== undefined) values[row + counter] = (values[row + counter] ?? 0) + record.number(field);
    }
    values[row + ATTEMPTS_AT] = (values[row + ATTEMPTS_AT] ?? 0) + record.integer(INTEGER_FIELD.attempts);
    if (record.flag(FLAG.tokensEstimated)) values[row + ESTIMATED_AT] = (values[row + ESTIMATED_AT] ?? 0) + 1;
  }

  #countError(record: UsageRecord): void {
    if (record.integer(INTEGER_FIELD.error) === 0) return;
    const tuple = this.#errorTuple;
    for (let column = 0; column < ERROR_FIELDS.length; column++)
      tuple[column] = record.integer(ERROR_FIELDS[column] ?? INTEGER_FIELD.gateway);
    const row = this.#errors.row(tuple);
    this.#errors.values[row] = (this.#errors.values[row] ?? 0) + 1;
  }

  #observeLatency(record: UsageRecord): void {
    const tuple = this.#latencyTuple;
    const width = LATENCY_FIELDS.length;
    for (let column = 0; column < width; column++)
      tuple[column] = record.integer(LATENCY_FIELDS[column] ?? INTEGER_FIELD.gateway);
    const stream = record.flag(FLAG.stream);
    tuple[width] = stream ? 1 : 0;
    const row = this.#latency.row(tuple);
    const values = this.#latency.values;
    const totalMs = record.number(NUMBER_FIELD.totalMs);
    const firstTokenMs = record.number(NUMBER_FIELD.firstTokenMs);
    this.#duration.observe(values, row, totalMs / 1000);
    if (firstTokenMs <= 0) return;
    this.#firstToken.observe(values, row, firstTokenMs / 1000);
    const following = record.number(NUMBER_FIELD.completionTokens) - 1;
    if (stream && following > 0) this.#outputToken.observe(values, row, (totalMs - firstTokenMs) / 1000 / following);
  }

  #renderOverflows(): string {
    const counts: (readonly [labels: string, count: number])[] = [
      ["requests", this.#requests.overflows],
      ["usage", this.#usage.overflows],
      ["errors", this.#errors.overflows],
      ["latency", this.#latency.overflows],
      ...this.#templates.overflows,
    ];
    return renderFamily({
      name: "sluice_metrics_overflow_total",
      help: "Requests counted in an `other` series because a set of labels had reached its limit of series.",
      type: "counter",
      samples: counts.map(([labels, value]) => ({ labels: { labels }, value })),
    });
  }
}
