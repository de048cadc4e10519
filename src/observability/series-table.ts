import { TupleIndex } from "../lib/tuple-index.ts";
import { escapeLabelValue, metricHeader } from "./prometheus.ts";

/** A label of a series table. */
export interface SeriesLabel {
  readonly label: string;
  /** `open`: any number of values, folded into `other` when the table is full. `closed`: a small fixed set, kept. */
  readonly values: "open" | "closed";
  /** The text of a value. */
  readonly text: (value: number) => string;
}

/** Stands for every value that found no room. */
const OTHER = -1;
const FIRST_CAPACITY = 64;
/** Beyond the limit: room for the `other` series, one for each combination of closed labels. */
const OTHER_SERIES = 256;

/**
 * Series of one set of labels: label values as integers → a row of numbers. Bounded: when it is full, new
 * combinations are counted in a series whose open labels say `other`.
 */
export class SeriesTable {
  /** Numbers of a row. */
  readonly stride: number;
  readonly #labels: readonly SeriesLabel[];
  readonly #maxSeries: number;
  readonly #index: TupleIndex;
  readonly #other: Int32Array;
  readonly #texts: string[] = [];
  #values: Float64Array;
  #overflows = 0;

  constructor(labels: readonly SeriesLabel[], stride: number, maxSeries: number) {
    this.stride = stride;
    this.#labels = labels;
    this.#maxSeries = maxSeries;
    this.#index = new TupleIndex(labels.length);
    this.#other = new Int32Array(labels.length);
    this.#values = new Float64Array(FIRST_CAPACITY * stride);
  }

  /** Series so far. */
  get size(): number {
    return this.#index.size;
  }

  /** How often a combination found no room. */
  get overflows(): number {
    return this.#overflows;
  }

  /** The numbers, row after row. Replaced when the table grows: take it anew after `row`. */
  get values(): Float64Array {
    return this.#values;
  }

  /** Where the row of this combination (one integer a label, all ≥ 0) begins in `values`. */
  row(tuple: Int32Array): number {
    const found = this.#index.find(tuple);
    if (found >= 0) return found * this.stride;
    return (this.size < this.#maxSeries ? this.#add(tuple) : this.#otherSeries(tuple)) * this.stride;
  }

  /** The labels of a series as text, without braces; made once. */
  labels(series: number): string {
    return (this.#texts[series] ??= this.#labels
      .map(({ label, text }, column) => {
        const value = this.#index.value(series, column);
        return `${label}="${value === OTHER ? "other" : escapeLabelValue(text(value))}"`;
      })
      .join(","));
  }

  #otherSeries(tuple: Int32Array): number {
    this.#overflows++;
    const other = this.#other;
    for (let column = 0; column < other.length; column++) {
      other[column] = this.#labels[column]?.values === "closed" ? (tuple[column] ?? OTHER) : OTHER;
    }
    const found = this.#index.find(other);
    if (found >= 0) return found;
    if (this.size < this.#maxSeries + OTHER_SERIES - 1) return this.#add(other);
    other.fill(OTHER);
    const last = this.#index.find(other);
    return last >= 0 ? last : this.#add(other);
  }

  #add(tuple: Int32Array): number {
    const series = this.#index.add(tuple);
    if ((series + 1) * this.stride > this.#values.length) {
      const values = new Float64Array(this.#values.length * 2);
      values.set(this.#values);
      this.#values = values;
    }
    return series;
  }
}

/** Series of one counter, whose numbers lie at `offset` in each row, as Prometheus text in pieces. */
export function* renderCounter(table: SeriesTable, offset: number, name: string, help: string): Generator<string> {
  let text = metricHeader(name, help, "counter");
  for (let series = 0; series < table.size; series++) {
    text += `${name}{${table.labels(series)}} ${table.values[series * table.stride + offset] ?? 0}\n`;
    if (text.length < 16_384) continue;
    yield text;
    text = "";
  }
  yield text;
}
