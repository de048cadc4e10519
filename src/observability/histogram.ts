import { metricHeader } from "./prometheus.ts";
import type { SeriesTable } from "./series-table.ts";

/** A histogram whose numbers lie at `offset` in each row of a series table: one count a bucket, then the sum. */
export class Histogram {
  readonly name: string;
  readonly #help: string;
  readonly #offset: number;
  readonly #bounds: Float64Array;
  readonly #boundTexts: readonly string[];

  /** @param bounds upper bounds (inclusive), ascending, without +Inf. */
  constructor(name: string, help: string, offset: number, bounds: readonly number[]) {
    this.name = name;
    this.#help = help;
    this.#offset = offset;
    this.#bounds = Float64Array.from(bounds);
    this.#boundTexts = [...bounds.map(String), "+Inf"];
  }

  /** Numbers of a row that a histogram with these bounds takes. */
  static stride(bounds: readonly number[]): number {
    return bounds.length + 2;
  }

  /** Counts one value in the row that begins at `row`. */
  observe(values: Float64Array, row: number, value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket++;
    const at = row + this.#offset;
    values[at + bucket] = (values[at + bucket] ?? 0) + 1;
    values[at + bounds.length + 1] = (values[at + bounds.length + 1] ?? 0) + value;
  }

  /** The histogram's text, in pieces; series that never got a value are left out. */
  *render(table: SeriesTable): Generator<string> {
    yield metricHeader(this.name, this.#help, "histogram");
    const buckets = this.#boundTexts.length;
    for (let series = 0; series < table.size; series++) {
      const at = series * table.stride + this.#offset;
      const labels = table.labels(series);
      let count = 0;
      let text = "";
      for (let bucket = 0; bucket < buckets; bucket++) {
        count += table.values[at + bucket] ?? 0;
        text += `${this.name}_bucket{${labels},le="${this.#boundTexts[bucket]}"} ${count}\n`;
      }
      if (count === 0) continue;
      yield `${text}${this.name}_sum{${labels}} ${table.values[at + buckets] ?? 0}\n${this.name}_count{${labels}} ${count}\n`;
    }
  }
}
