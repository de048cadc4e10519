import { escapeLabelValue } from "./prometheus.ts";

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
  readonly #width: number;
  readonly #maxSeries: number;
  readonly #lookupTuple: Int32Array;
  /** The numbers, row after row. Replaced when the table grows: read it anew after `row`. */
  values: Float64Array;
  #tuples: Int32Array;
  #index: Int32Array;
  #size = 0;
  #overflows = 0;
  readonly #prefixes: string[] = [];

  constructor(labels: readonly SeriesLabel[], stride: number, maxSeries: number) {
    this.stride = stride;
    this.#labels = labels;
    this.#width = labels.length;
    this.#maxSeries = maxSeries;
    this.#lookupTuple = new Int32Array(labels.length);
    this.values = new Float64Array(FIRST_CAPACITY * stride);
    this.#tuples = new Int32Array(FIRST_CAPACITY * labels.length);
    this.#index = new Int32Array(FIRST_CAPACITY * 2);
  }

  /** Series so far. */
  get size(): number {
    return this.#size;
  }

  /** How often a combination found no room. */
  get overflows(): number {
    return this.#overflows;
  }

  /** Where the row of this combination (one integer a label, all ≥ 0) begins in `values`. */
  row(tuple: Int32Array): number {
    const found = this.#find(tuple);
    if (found >= 0) return found * this.stride;
    if (this.#size < this.#maxSeries) return this.#add(tuple, found) * this.stride;
    return this.#otherRow(tuple) * this.stride;
  }

  /** The labels of a series as text, without braces; made once. */
  labels(series: number): string {
    return (this.#prefixes[series] ??= this.#labels
      .map(({ label, text }, column) => {
        const value = this.#tuples[series * this.#width + column] ?? OTHER;
        return `${label}="${value === OTHER ? "other" : escapeLabelValue(text(value))}"`;
      })
      .join(","));
  }

  #otherRow(tuple: Int32Array): number {
    this.#overflows++;
    const other = this.#lookupTuple;
    for (let column = 0; column < this.#width; column++) {
      other[column] = this.#labels[column]?.values === "closed" ? (tuple[column] ?? OTHER) : OTHER;
    }
    const found = this.#find(other);
    if (found >= 0) return found;
    if (this.#size < this.#maxSeries + OTHER_SERIES - 1) return this.#add(other, found);
    other.fill(OTHER);
    const last = this.#find(other);
    return last >= 0 ? last : this.#add(other, last);
  }

  /** The series of a tuple, or `-1 - slot` with the index slot where it belongs. */
  #find(tuple: Int32Array): number {
    const mask = this.#index.length - 1;
    const width = this.#width;
    let hash = 0;
    for (let column = 0; column < width; column++) {
      hash = Math.imul(hash ^ (tuple[column] ?? 0), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const series = (this.#index[slot] ?? 0) - 1;
      if (series < 0) return -1 - slot;
      let column = 0;
      while (column < width && this.#tuples[series * width + column] === tuple[column]) column++;
      if (column === width) return series;
    }
  }

  #add(tuple: Int32Array, missed: number): number {
    const series = this.#size;
    let slot = -1 - missed;
    if ((series + 1) * 2 > this.#index.length) {
      this.#grow();
      slot = -1 - this.#find(tuple);
    }
    this.#size++;
    this.#tuples.set(tuple, series * this.#width);
    this.#index[slot] = series + 1;
    return series;
  }

  #grow(): void {
    const capacity = this.#index.length;
    const values = new Float64Array(capacity * this.stride);
    values.set(this.values);
    this.values = values;
    const tuples = new Int32Array(capacity * this.#width);
    tuples.set(this.#tuples);
    this.#tuples = tuples;
    this.#index = new Int32Array(capacity * 2);
    for (let series = 0; series < this.#size; series++) {
      const start = series * this.#width;
      this.#index[-1 - this.#find(tuples.subarray(start, start + this.#width))] = series + 1;
    }
  }
}
