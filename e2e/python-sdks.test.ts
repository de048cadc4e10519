/** The official Python SDKs against the gateway. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { promisify } from "node:util";
import { pythonPath, requirePart } from "./parts.ts";
import { MODELS, startWorld } from "./world.ts";

const SCRIPT = join(import.meta.dirname, "python", "sdks.py");
const TIMEOUT_MS = 60_000;

test("the Python packages openai and anthropic", async (t) => {
  if (!requirePart(t, "python")) return;
  const world = await startWorld(t);
  const models = [MODELS.openai, MODELS.anthropic];
  const { stdout } = await promisify(execFile)(
    pythonPath() ?? "python3",
    [SCRIPT, world.gateway.url, world.key, ...models],
    {
      timeout: TIMEOUT_MS,
      env: { PYTHONUTF8: "1" },
    },
  );
  const results = new Map(
    stdout
      .trim()
      .split("\n")
      .map((line): [string, unknown] => {
        const { check, result } = JSON.parse(line) as { check: string; result: unknown };
        return [check, result];
      }),
  );
  const expected: Record<string, unknown> = {
    embeddings: 16,
    models: Object.values(MODELS).toSorted(),
    "anthropic models": Object.values(MODELS).toSorted(),
    count_tokens: true,
    "openai unknown model": "NotFoundError",
    "anthropic unknown model": "NotFoundError",
    "openai wrong key": "AuthenticationError",
    "openai bad request": "BadRequestError",
  };
  for (const model of models) {
    for (const check of ["openai chat", "openai stream", "anthropic message", "anthropic stream"])
      expected[`${check} ${model}`] = "héllo 😀";
    expected[`openai tools ${model}`] = true;
    expected[`anthropic tools ${model}`] = true;
  }
  assert.deepEqual(Object.fromEntries(results), expected);
});
