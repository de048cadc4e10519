import assert from "node:assert/strict";
import { test } from "node:test";
import { zeroConfig } from "../config/zero-config.ts";
import type { Snapshot } from "../config/snapshot.ts";
import { pickByWeight, promptVariants } from "./prompt-variants.ts";

const { snapshot: PLAIN } = zeroConfig({ keyHash: "0".repeat(64), environment: {} });
const version = (number: number) => ({
  version: number,
  draft: false,
  options: { model: "index", messages: [{ role: "user", content: `v${number} {{ .x }}` }] },
});
const SNAPSHOT: Snapshot = {
  ...PLAIN,
  templates: [
    {
      name: "t",
      published: [{ version: 1, weight: 1 }],
      labels: {
        both: [
          { version: 1, weight: 1 },
          { version: 2, weight: 3 },
        ],
      },
      versions: [version(1), version(2)],
    },
    { name: "unpublished", labels: {}, versions: [version(1)] },
  ],
};

test("a reference is what is published, a label's versions with their shares, or one version", () => {
  const names = (template: string): [string, number][] =>
    promptVariants({ template }, SNAPSHOT).variants.map(({ template: name, weight }) => [name, weight]);
  assert.deepEqual(names("t"), [["t@1", 1]]);
  assert.deepEqual(names("t@2"), [["t@2", 1]]);
  assert.deepEqual(names("t@both"), [
    ["t@1", 1],
    ["t@2", 3],
  ]);
  for (const template of ["u", "t@3", "t@none", "unpublished", "t@constructor", "t@"]) {
    assert.throws(() => promptVariants({ template }, SNAPSHOT), /there is no template/, template);
  }
  const [first] = promptVariants({ template: "t" }, SNAPSHOT).variants;
  assert.equal(promptVariants({ template: "t@both" }, SNAPSHOT).variants[0]!.hook, first!.hook, "compiled once");
});

test("each is picked as often as its weight says", () => {
  const items = [1, 3, 6].map((weight) => ({ weight }));
  const counts = new Map<number, number>();
  for (let step = 0; step < 1_000; step++) {
    const { weight } = pickByWeight(items, step / 1_000);
    counts.set(weight, (counts.get(weight) ?? 0) + 1);
  }
  assert.deepEqual([...counts.values()], [100, 300, 600]);
  assert.equal(pickByWeight([{ weight: 0.1 }, { weight: 0.2 }], 1 - 2 ** -53).weight, 0.2, "roundings lose nothing");
});
