import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageCollector } from "../ledger/usage-collector.ts";
import { createUsageBuffer, FLAG, INTEGER_FIELD, NUMBER_FIELD } from "../ledger/usage-layout.ts";
import type { IntegerField, NumberField } from "../ledger/usage-layout.ts";
import { UsageReader } from "../ledger/usage-reader.ts";
import { UsageWriter } from "../ledger/usage-writer.ts";
import type { Outcome } from "../ledger/entry.ts";
import { NameTable } from "../lib/name-table.ts";
import { ledgerMetrics } from "./ledger-metrics.ts";
import { Metrics } from "./metrics.ts";
import type { MetricsOptions } from "./metrics.ts";

interface Request {
  readonly names?: Partial<Record<keyof typeof INTEGER_FIELD, string>>;
  readonly attempts?: number;
  readonly numbers?: Partial<Record<keyof typeof NUMBER_FIELD, number>>;
  readonly stream?: boolean;
  readonly estimated?: boolean;
  readonly outcome?: Outcome;
  readonly status?: number;
  readonly totalMs?: number;
}

/** Metrics fed through a real usage table. */
function setUp(options: Omit<MetricsOptions, "names"> = {}) {
  const names = new NameTable();
  const metrics = new Metrics({ names, ...options });
  const buffer = createUsageBuffer(64);
  const writer = new UsageWriter(buffer);
  const reader = new UsageReader(buffer);
  const open = (request: Request): number => {
    const slot = writer.open("id", 1);
    for (const [key, name] of Object.entries(request.names ?? {})) {
      writer.setInteger(slot, INTEGER_FIELD[key as keyof typeof INTEGER_FIELD] satisfies IntegerField, names.id(name));
    }
    for (const [key, value] of Object.entries(request.numbers ?? {})) {
      writer.setNumber(slot, NUMBER_FIELD[key as keyof typeof NUMBER_FIELD] satisfies NumberField, value);
    }
    writer.setInteger(slot, INTEGER_FIELD.attempts, request.attempts ?? 1);
    if (request.stream === true) writer.setFlag(slot, FLAG.stream);
    if (request.estimated === true) writer.setFlag(slot, FLAG.tokensEstimated);
    return slot;
  };
  const count = (request: Request = {}): void => {
    writer.close(open(request), request.outcome ?? "ok", request.status ?? 200, request.totalMs ?? 1);
    reader.drain((record) => metrics.record(record), 1);
  };
  return { names, metrics, reader, open, count, text: () => [...metrics.render()].join("") };
}

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Parses the exposition format strictly: every sample belongs to the metric whose HELP and TYPE precede it. */
function parse(text: string): Sample[] {
  const samples: Sample[] = [];
  let metric = "";
  let type = "";
  const finished = new Set<string>();
  assert.ok(text.endsWith("\n"));
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP (\S+) .+$/.exec(line);
    if (help !== null) {
      finished.add(metric);
      metric = help[1] ?? "";
      type = "";
      assert.ok(!finished.has(metric), `${metric} comes twice`);
      continue;
    }
    const typed = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (typed !== null) {
      assert.equal(typed[1], metric);
      type = typed[2] ?? "";
      if (type === "counter") assert.match(metric, /_total$/);
      continue;
    }
    const sample = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    assert.ok(sample !== null && type !== "", `not a sample: ${line}`);
    const [, name = "", labelText = "", value = ""] = sample;
    assert.match(name, type === "histogram" ? new RegExp(`^${metric}_(bucket|sum|count)$`) : new RegExp(`^${metric}$`));
    const labels: Record<string, string> = {};
    let rest = labelText;
    while (rest !== "") {
      const label = /^([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/.exec(rest);
      assert.ok(label !== null, `not a label: ${rest}`);
      labels[label[1] ?? ""] = (label[2] ?? "").replace(/\\(.)/g, (_, escaped: string) =>
        escaped === "n" ? "\n" : escaped,
      );
      rest = rest.slice(label[0].length);
    }
    samples.push({ name, labels, value: value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value) });
  }
  return samples;
}

/** The sum of a metric's samples that have these labels. */
function sum(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number {
  return samples
    .filter(
      (sample) =>
        sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    )
    .reduce((total, sample) => total + sample.value, 0);
}

test("requests are counted by all their labels", () => {
  const { count, text } = setUp();
  const names = {
    gateway: "main",
    domain: "ai.example.com",
    route: "/v1/*",
    operation: "chat",
    consumer: "search",
    model: "index",
    provider: "idc",
    upstreamModel: "index-72b",
  };
  count({ names });
  count({ names });
  count({ names, outcome: "timeout", status: 504 });
  const samples = parse(text());
  const labels = {
    gateway: "main",
    domain: "ai.example.com",
    route: "/v1/*",
    operation: "chat",
    consumer: "search",
    model: "index",
    provider: "idc",
    upstream_model: "index-72b",
  };
  assert.deepEqual(
    samples.filter(({ name }) => name === "sluice_requests_total"),
    [
      { name: "sluice_requests_total", labels: { ...labels, outcome: "ok", status: "200" }, value: 2 },
      { name: "sluice_requests_total", labels: { ...labels, outcome: "timeout", status: "504" }, value: 1 },
    ],
  );
});

test("tokens, bytes, attempts, estimates and errors are summed", () => {
  const { count, text } = setUp();
  const names = { gateway: "main", consumer: "search", model: "index" };
  const numbers = {
    promptTokens: 262_960,
    cachedTokens: 257_955,
    cacheWriteTokens: 3,
    completionTokens: 1_744,
    reasoningTokens: 44,
    costNanoUsd: 123_456,
    bytesIn: 10,
    bytesOut: 2 ** 41,
  };
  count({ names, numbers, attempts: 3 });
  count({ names, numbers: { promptTokens: 0.5 }, estimated: true });
  count({ names: { ...names, error: "first_token_timeout" }, outcome: "timeout", status: 504, attempts: 0 });
  const samples = parse(text());
  const of = (name: string): number => sum(samples, name, { gateway: "main", consumer: "search", model: "index" });
  assert.equal(of("sluice_prompt_tokens_total"), 262_960.5);
  assert.equal(of("sluice_cached_prompt_tokens_total"), 257_955);
  assert.equal(of("sluice_cache_write_prompt_tokens_total"), 3);
  assert.equal(of("sluice_completion_tokens_total"), 1_744);
  assert.equal(of("sluice_reasoning_tokens_total"), 44);
  assert.equal(of("sluice_cost_nano_usd_total"), 123_456);
  assert.equal(of("sluice_request_bytes_total"), 10);
  assert.equal(of("sluice_response_bytes_total"), 2 ** 41);
  assert.equal(of("sluice_upstream_attempts_total"), 4);
  assert.equal(of("sluice_estimated_usage_requests_total"), 1);
  assert.equal(sum(samples, "sluice_errors_total", { error: "first_token_timeout", model: "index" }), 1);
  assert.equal(sum(samples, "sluice_errors_total"), 1);
});

test("histograms hold every value in the right buckets", () => {
  const { count, text } = setUp();
  const names = { model: "index" };
  for (const totalMs of [10, 10.001, 700_000]) count({ names, totalMs });
  count({ names, stream: true, totalMs: 1_100, numbers: { firstTokenMs: 100, completionTokens: 11 } });
  const samples = parse(text());
  const buckets = (name: string, stream: string): [string | undefined, number][] =>
    samples
      .filter((sample) => sample.name === `${name}_bucket` && sample.labels["stream"] === stream)
      .map((sample) => [sample.labels["le"], sample.value]);
  const durations = buckets("sluice_request_duration_seconds", "false");
  assert.deepEqual(durations.slice(0, 2), [
    ["0.01", 1],
    ["0.02", 2],
  ]);
  assert.deepEqual(durations.slice(-2), [
    ["655.36", 2],
    ["+Inf", 3],
  ]);
  assert.deepEqual(
    durations.map(([, value]) => value),
    durations.map(([, value]) => value).toSorted((left, right) => left - right),
  );
  assert.equal(sum(samples, "sluice_request_duration_seconds_count", { stream: "false" }), 3);
  assert.ok(Math.abs(sum(samples, "sluice_request_duration_seconds_sum", { stream: "false" }) - 700.020001) < 1e-9);
  assert.equal(sum(samples, "sluice_time_to_first_token_seconds_bucket", { stream: "true", le: "0.1" }), 1);
  assert.equal(sum(samples, "sluice_time_to_first_token_seconds_bucket", { stream: "true", le: "0.08" }), 0);
  assert.deepEqual(buckets("sluice_time_to_first_token_seconds", "false"), [], "no answer of these had a first token");
  // Ten tokens in one second after the first.
  assert.equal(sum(samples, "sluice_time_per_output_token_seconds_bucket", { stream: "true", le: "0.1" }), 1);
  assert.equal(sum(samples, "sluice_time_per_output_token_seconds_bucket", { stream: "true", le: "0.075" }), 0);
});

test("names may hold anything", () => {
  const { count, text } = setUp();
  const nasty = 'a"b\\c\nd{e="f"} 1 ü 模型';
  count({ names: { model: nasty } });
  assert.equal(sum(parse(text()), "sluice_requests_total", { model: nasty }), 1);
});

test("series are bounded: what finds no room is counted as other, and nothing is lost", () => {
  const { count, text, metrics } = setUp({ maxSeries: 100, maxHistogramSeries: 10 });
  for (let index = 0; index < 1_000; index++) {
    count({
      names: { gateway: "main", consumer: `consumer${index}`, model: `model${index}` },
      numbers: { promptTokens: 2 },
      outcome: index % 2 === 0 ? "ok" : "refused",
      status: 200 + index,
    });
  }
  const samples = parse(text());
  const series = samples.filter(({ name }) => name === "sluice_requests_total");
  assert.ok(series.length <= 100 + 256, `${series.length} series`);
  assert.equal(sum(samples, "sluice_requests_total"), 1_000);
  assert.equal(sum(samples, "sluice_prompt_tokens_total"), 2_000);
  assert.equal(sum(samples, "sluice_prompt_tokens_total", { consumer: "other", gateway: "main" }), 1_800);
  assert.equal(sum(samples, "sluice_request_duration_seconds_count", { model: "other" }), 990);
  assert.ok(sum(samples, "sluice_requests_total", { consumer: "other", outcome: "refused", gateway: "main" }) > 0);
  assert.equal(sum(samples, "sluice_metrics_overflow_total", { labels: "requests" }), 900);
  assert.equal(sum(samples, "sluice_metrics_overflow_total", { labels: "latency" }), 990);
  assert.ok(
    [...metrics.render()].every((piece) => piece.length < 65_536),
    "pieces stay small",
  );
});

test("open requests and the fill of the tables are gauges, read at the scrape", () => {
  const { names, metrics, reader, open, text } = setUp();
  const collector = new UsageCollector({ sinks: [(record) => metrics.record(record)], onSinkError: assert.ifError });
  collector.add(reader);
  metrics.addSource(ledgerMetrics(collector, names));
  open({ names: { gateway: "main", model: "index", provider: "idc" } });
  open({ names: { gateway: "main", model: "index", provider: "idc" } });
  open({ names: { gateway: "main" } });
  const samples = parse(text());
  assert.equal(sum(samples, "sluice_requests_in_flight", { model: "index", provider: "idc" }), 2);
  assert.equal(sum(samples, "sluice_requests_in_flight", { model: "" }), 1);
  assert.equal(sum(samples, "sluice_ledger_slots", { worker: "0" }), 64);
  assert.equal(sum(samples, "sluice_ledger_slots_in_use", { worker: "0" }), 3);
  assert.equal(sum(samples, "sluice_ledger_rejected_total"), 0);
  collector.stop();
});

test("versions of a template are told apart, by status class; prompts without a name are not among them", () => {
  const { count, text } = setUp({ maxSeries: 3, maxHistogramSeries: 3 });
  const version = (number: number) => ({ gateway: "main", template: `sum.up-1@${number}` });
  const numbers = { promptTokens: 100, completionTokens: 10, costNanoUsd: 7 };
  count({ names: version(2), numbers, totalMs: 1_500 });
  count({ names: version(2), numbers, status: 204 });
  count({ names: version(2), status: 502, outcome: "upstream_error" });
  count({ names: version(3), numbers });
  count({ names: { gateway: "main" }, numbers });
  const template = "sum.up-1";
  const samples = parse(text());
  const of = (what: string, labels: Record<string, string>): number => sum(samples, `sluice_template_${what}`, labels);
  assert.deepEqual(
    samples.filter(({ name }) => name === "sluice_template_requests_total"),
    [
      ["2", "2xx", 2],
      ["2", "5xx", 1],
      ["3", "2xx", 1],
    ].map(([number, status, value]) => ({
      name: "sluice_template_requests_total",
      labels: { gateway: "main", template, version: number, status },
      value,
    })),
  );
  assert.equal(of("prompt_tokens_total", { version: "2" }), 200);
  assert.equal(of("completion_tokens_total", { version: "2" }), 20);
  assert.equal(of("cost_nano_usd_total", { version: "2" }), 14);
  assert.equal(of("request_duration_seconds_count", { template, version: "2" }), 3);
  assert.equal(of("request_duration_seconds_bucket", { version: "2", le: "1.28" }), 2);

  count({ names: version(4) });
  count({ names: version(5), status: 0, outcome: "worker_lost" });
  const full = parse(text());
  const other = { gateway: "main", template: "other", version: "other" };
  assert.equal(sum(full, "sluice_template_requests_total", other), 2);
  assert.equal(sum(full, "sluice_template_requests_total", { ...other, status: "none" }), 1);
  assert.equal(sum(full, "sluice_template_request_duration_seconds_count", other), 1);
  assert.equal(sum(full, "sluice_metrics_overflow_total", { labels: "templates" }), 2);
  assert.equal(sum(full, "sluice_metrics_overflow_total", { labels: "template_latency" }), 1);
});
