/**
 * Asks Go again what it makes of the cases in cases.jsonl, and of those that were added to it without a result:
 * `node e2e/go-template/record.ts`, with go on the PATH.
 */
import { buildGoRenderer, goVersion } from "./go.ts";
import { readRecording, writeRecording } from "./recording.ts";

const { cases } = readRecording();
const renderer = buildGoRenderer();
try {
  writeRecording({ go: goVersion() ?? "", cases, results: renderer.render(cases) });
  process.stdout.write(`${cases.length} cases recorded\n`);
} finally {
  renderer.remove();
}
