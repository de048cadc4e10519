// Writes src/lib/json-scan-wasm.ts from src/lib/json-scan.wat. The module's bytes are committed, so that neither
// development nor an installed package needs an assembler; a test proves that they are what the text says.
//
// Run it after every change of the .wat: node scripts/assemble-json-scan.ts
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import loadWabt from "wabt";

const library = join(import.meta.dirname, "..", "src", "lib");

/** The WebAssembly module that json-scan.wat describes. */
export async function assembleJsonScan(): Promise<Buffer> {
  const name = "json-scan.wat";
  const wabt = await loadWabt();
  const module = wabt.parseWat(name, readFileSync(join(library, name), "utf8"), { simd: true });
  try {
    module.validate();
    return Buffer.from(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

if (import.meta.main) {
  const lines = (await assembleJsonScan()).toString("base64").match(/.{1,100}/g) ?? [];
  const source = `/** json-scan.wat, assembled by scripts/assemble-json-scan.ts: change that file, not this one. */
export const JSON_SCAN_WASM: Buffer<ArrayBuffer> = Buffer.from(
  [
${lines.map((line) => `    "${line}",\n`).join("")}  ].join(""),
  "base64",
);
`;
  writeFileSync(join(library, "json-scan-wasm.ts"), source);
}
