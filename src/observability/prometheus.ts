/** The Prometheus text exposition format, version 0.0.4. */

/** What `content-type` says of this format. */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type MetricType = "counter" | "gauge" | "histogram";

/** One value of a metric that is computed when somebody asks. */
export interface MetricSample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric with its samples: for what changes seldom or is read only at a scrape. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly samples: readonly MetricSample[];
}

/** Called at every scrape. */
export type MetricSource = () => readonly MetricFamily[];

/** The two lines that precede a metric's samples. */
export function metricHeader(name: string, help: string, type: MetricType): string {
  return `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${type}\n`;
}

/** A label's value as it stands between the quotes. */
export function escapeLabelValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

/** A sample's value. */
export function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}

/** A family as text. */
export function renderFamily(family: MetricFamily): string {
  let text = metricHeader(family.name, family.help, family.type);
  for (const sample of family.samples) {
    const labels = Object.entries(sample.labels ?? {}).map(([label, value]) => `${label}="${escapeLabelValue(value)}"`);
    text += `${family.name}${labels.length > 0 ? `{${labels.join(",")}}` : ""} ${formatValue(sample.value)}\n`;
  }
  return text;
}
