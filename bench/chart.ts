/** The picture for the README: CPU time per request of each peer, on a logarithmic scale. */
import type { Figure } from "./bench.ts";
import { round } from "./bench.ts";

const WIDTH = 760;
const LEFT = 120;
const RIGHT = 130;
const BAR = 26;
const GAP = 14;
const TOP = 62;
const LABELS: Readonly<Record<string, string>> = {
  nginx: "nginx",
  sluice: "Sluice",
  portkey: "Portkey",
  litellm: "LiteLLM",
  bifrost: "Bifrost",
};

/** An SVG of the figures of `json-2k`; undefined if that was not measured. */
export function cpuChart(figures: readonly Figure[], subtitle: string): string | undefined {
  const bars = figures
    .filter((figure) => figure.scenario === "json-2k" && figure.metric === "CPU per request" && figure.value > 0)
    .toSorted((a, b) => a.value - b.value);
  const [smallest] = bars;
  const largest = bars.at(-1);
  if (smallest === undefined || largest === undefined) {
    return undefined;
  }
  const lowest = Math.floor(Math.log10(smallest.value));
  const highest = Math.ceil(Math.log10(largest.value));
  const x = (value: number): number =>
    LEFT + ((Math.log10(value) - lowest) / Math.max(1, highest - lowest)) * (WIDTH - LEFT - RIGHT);
  const bottom = TOP + bars.length * (BAR + GAP);
  const ticks = Array.from({ length: highest - lowest + 1 }, (_, index) => 10 ** (lowest + index));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 30}" font-family="system-ui, sans-serif" font-size="14">`,
    `<rect width="100%" height="100%" rx="8" fill="#ffffff"/>`,
    `<text x="16" y="26" font-size="16" font-weight="600" fill="#1b1f24">Gateway CPU time per request, µs (less is better, logarithmic)</text>`,
    `<text x="16" y="46" font-size="12" fill="#57606a">${escape(subtitle)}</text>`,
    ...ticks.map((tick) => tickMark(x(tick), bottom, tick)),
    ...bars.map((figure, index) => bar(figure, TOP + index * (BAR + GAP), x(figure.value))),
    "</svg>",
    "",
  ].join("\n");
}

function tickMark(x: number, bottom: number, value: number): string {
  const at = x.toFixed(1);
  return (
    `<line x1="${at}" y1="${TOP - 6}" x2="${at}" y2="${bottom}" stroke="#d0d7de"/>` +
    `<text x="${at}" y="${bottom + 18}" font-size="12" text-anchor="middle" fill="#57606a">${value.toLocaleString("en-US")}</text>`
  );
}

function bar(figure: Figure, y: number, end: number): string {
  const own = figure.peer === "sluice";
  const middle = y + BAR / 2 + 5;
  return (
    `<text x="${LEFT - 10}" y="${middle}" text-anchor="end" fill="#1b1f24"${own ? ' font-weight="600"' : ""}>${LABELS[figure.peer] ?? figure.peer}</text>` +
    `<rect x="${LEFT}" y="${y}" width="${Math.max(2, end - LEFT).toFixed(1)}" height="${BAR}" rx="3" fill="${own ? "#1a7f64" : "#8c959f"}"/>` +
    `<text x="${(end + 8).toFixed(1)}" y="${middle}" fill="#1b1f24">${round(figure.value)} µs</text>`
  );
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
