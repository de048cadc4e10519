/** Bounds on what docs/token-estimates.md says, with some room. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { countTokens as cl100k } from "gpt-tokenizer/encoding/cl100k_base";
import { countTokens as o200k } from "gpt-tokenizer/encoding/o200k_base";
import { corpus } from "./token-corpus.ts";
import { measure } from "./token-estimates.ts";

/** Of o200k_base. */
const MAX_MEAN = 0.1;
const MAX_P95 = 0.18;
const MAX_WORST = 0.22;
/** The older tokenizer cuts other scripts than Latin into more tokens; what models report corrects that. */
const MAX_OLD_MEAN = 0.12;
const MAX_OLD_MEAN_OF_OTHER_SCRIPTS = 0.35;
const OTHER_SCRIPTS = /Chinese|Japanese|Korean/;

for (const [category, samples] of corpus()) {
  test(`${category}: estimates are near what tokenizers count`, () => {
    assert.ok(samples.length >= 5, "enough samples to speak of");
    const { mean, p95, worst } = measure(samples, o200k);
    assert.ok(Math.abs(mean) <= MAX_MEAN, `mean ${mean}`);
    assert.ok(p95 <= MAX_P95, `p95 ${p95}`);
    assert.ok(Math.abs(worst) <= MAX_WORST, `worst ${worst}`);
    const old = measure(samples, cl100k);
    const most = OTHER_SCRIPTS.test(category) ? MAX_OLD_MEAN_OF_OTHER_SCRIPTS : MAX_OLD_MEAN;
    assert.ok(Math.abs(old.mean) <= most, `mean of cl100k_base ${old.mean}`);
  });
}
