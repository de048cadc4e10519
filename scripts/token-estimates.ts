/**
 * Measures how far estimates of prompts are off, and what they cost: `node scripts/token-estimates.ts`. Prints the tables
 * of docs/token-estimates.md.
 */
import { countTokens as cl100k } from "gpt-tokenizer/encoding/cl100k_base";
import { countTokens as o200k } from "gpt-tokenizer/encoding/o200k_base";
import { scanObject, type ObjectScan } from "../src/lib/json-scan.ts";
import { estimateTokensOfBody, PROMPT_MEMBERS } from "../src/lib/token-estimate.ts";
import { corpus, type Count, type Sample } from "./token-corpus.ts";

/** Signed shares: 0.1 is a tenth more than the tokenizer counts. */
export interface Errors {
  readonly mean: number;
  /** Of the sizes of errors. */
  readonly p95: number;
  readonly worst: number;
}

/** A sample as a request has it when it is estimated: its members have been found by then. */
function scanned(sample: Sample): { body: Buffer; members: ObjectScan["members"] } {
  const body = Buffer.from(JSON.stringify(sample.body));
  return { body, members: scanObject(body, PROMPT_MEMBERS).members };
}

/** Errors of the estimates of `samples` against a tokenizer. */
export function measure(samples: readonly Sample[], count: Count): Errors {
  const errors = samples.map((sample) => {
    const { body, members } = scanned(sample);
    return estimateTokensOfBody(body, members) / sample.count(count) - 1;
  });
  const sizes = errors.map(Math.abs).toSorted((left, right) => left - right);
  const worstSize = sizes.at(-1)!;
  return {
    mean: errors.reduce((sum, error) => sum + error, 0) / errors.length,
    p95: sizes[Math.ceil(sizes.length * 0.95) - 1]!,
    worst: errors.find((error) => Math.abs(error) === worstSize)!,
  };
}

const ROUNDS = 40;
const ROUND_MS = 5;

/** Microseconds a KB of body, in the best of many short rounds: what others do on the machine is not our cost. */
function costOf(samples: readonly Sample[]): number {
  const bodies = samples.map(scanned);
  const bytes = bodies.reduce((sum, { body }) => sum + body.length, 0);
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    let times = 0;
    while (performance.now() - start < ROUND_MS) {
      for (const { body, members } of bodies) estimateTokensOfBody(body, members);
      times++;
    }
    best = Math.min(best, ((performance.now() - start) * 1_000) / times / (bytes / 1_024));
  }
  return best;
}

const percent = (share: number): string =>
  `${Math.round(share * 100) >= 0 ? "+" : "−"}${Math.abs(share * 100).toFixed(0)} %`;

function row(errors: Errors): string {
  return `${percent(errors.mean)} | ${(errors.p95 * 100).toFixed(0)} % | ${percent(errors.worst)}`;
}

if (import.meta.main) {
  console.log("| category | samples | o200k mean | p95 | worst | cl100k mean | p95 | worst | µs/KB |");
  console.log("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
  for (const [category, samples] of corpus()) {
    const measured = [row(measure(samples, o200k)), row(measure(samples, cl100k)), costOf(samples).toFixed(1)];
    console.log(`| ${category} | ${samples.length} | ${measured.join(" | ")} |`);
  }
}
