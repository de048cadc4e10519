import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { createTokenCorrectionMemory, TokenCorrection } from "./token-correction.ts";

const create = (): TokenCorrection => new TokenCorrection(createTokenCorrectionMemory());
const near = (actual: number, expected: number, share: number): void => {
  assert.ok(Math.abs(actual / expected - 1) <= share, `${actual}, not ${expected}`);
};

test("nothing is known: estimates are taken as they are", () => {
  const correction = create();
  assert.equal(correction.factor(7), 1);
  correction.learn(8, 1_000, 2_000);
  assert.equal(correction.factor(7), 1);
  assert.ok(correction.factor(8) > 1);
});

for (const [estimated, ratio] of [
  [60, 2],
  [300, 0.5],
  [2_000, 1.4],
  [100_000, 3],
] as const) {
  test(`twenty prompts of ${estimated} tokens show a ratio of ${ratio}`, () => {
    const correction = create();
    for (let count = 0; count < 20; count++) correction.learn(3, estimated, Math.round(estimated * ratio));
    near(correction.factor(3), ratio, 0.1);
  });
}

test("a long prompt weighs more than a short one, and one report is never all that counts", () => {
  const [short, long] = [create(), create()];
  short.learn(1, 20, 40);
  long.learn(1, 20_000, 40_000);
  assert.ok(short.factor(1) > 1 && short.factor(1) < long.factor(1) && long.factor(1) < 1.4);
});

test("the factor stays within its bounds", () => {
  const correction = create();
  for (let count = 0; count < 200; count++) correction.learn(1, 1_000, 10_000);
  near(correction.factor(1), 4, 1e-6);
  for (let count = 0; count < 400; count++) correction.learn(1, 1_000, 100);
  near(correction.factor(1), 0.25, 1e-6);
});

test("absurd reports, tiny prompts and ids out of range teach nothing", () => {
  const correction = create();
  for (const reported of [0, -5, NaN, Infinity, -Infinity, 0.5, 2 ** 53, 1e300, 1, 1_000_000]) {
    correction.learn(1, 1_000, reported);
    assert.equal(correction.factor(1), 1, String(reported));
  }
  for (const estimated of [0, -100, NaN, Infinity, 5]) {
    correction.learn(1, estimated, 10);
    assert.equal(correction.factor(1), 1, String(estimated));
  }
  for (const id of [-1, 0.5, NaN, 2 ** 20, 2 ** 32]) {
    correction.learn(id, 1_000, 2_000);
    assert.equal(correction.factor(id), 1, String(id));
  }
});

test("whatever is reported, the factor is a number within its bounds", () => {
  const correction = create();
  fc.assert(
    fc.property(fc.double(), fc.oneof(fc.double(), fc.integer()), (estimated, reported) => {
      correction.learn(1, estimated, reported);
      const factor = correction.factor(1);
      assert.ok(factor >= 0.25 && factor <= 4, String(factor));
    }),
    { numRuns: 2_000 },
  );
});

/** Learns without end about a model of its own and about one that all share, in the midst of nonsense. */
const BODY = `
  import { workerData } from "node:worker_threads";
  const { TokenCorrection } = await import(workerData.at + "/token-correction.ts");
  const correction = new TokenCorrection(workerData.memory);
  const { index } = workerData;
  for (let round = 0; round < 20_000; round++) {
    correction.learn(0, 500, 1_000);
    correction.learn(index, 500, 500 + 250 * index);
    correction.learn(0, 500, [NaN, 0, -1, 2 ** 53][round % 4]);
  }
`;

test("what threads learn together is right, and one's model does not touch another's", async () => {
  const memory = createTokenCorrectionMemory();
  const workers = [1, 2, 3, 4].map(
    (index) =>
      new Worker(BODY, {
        eval: true,
        execArgv: ["--input-type=module"],
        workerData: { memory, index, at: import.meta.dirname },
      }),
  );
  const codes = await Promise.all(workers.map((worker) => once(worker, "exit")));
  assert.deepEqual(codes.flat(), [0, 0, 0, 0]);
  const correction = new TokenCorrection(memory);
  near(correction.factor(0), 2, 1e-6);
  for (const index of [1, 2, 3, 4]) near(correction.factor(index), 1 + index / 2, 1e-6);
});
