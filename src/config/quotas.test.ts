import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { TestConfig } from "./config-helper.test.ts";
import { formatProblem } from "./problem.ts";
import { parseTimeZone } from "./schema/time-zone.ts";
import { parseNanoUsd } from "./schema/usd.ts";
import type { LimitsConfig } from "./snapshot.ts";

const config = new TestConfig();
const HASH = "ab".repeat(32);
const OTHER_HASH = "cd".repeat(32);
const PROVIDER = "providers: [ { name: p, dialect: openai, baseUrl: http://a/v1 } ]\n";
const MODEL = "models: [ { name: m, targets: [ { provider: p, model: x } ] } ]\n";

/** A consumer with one key, and what else it has. */
const consumer = (more: string, key: string = "", grant: string = ""): string =>
  `${PROVIDER}${MODEL}consumers: [ { name: c, ${more} grants: [ { model: m, ${grant} } ], keys: [ { name: k, hash: "sha256:${HASH}", ${key} } ] } ]\n`;

const soft = (values: Partial<LimitsConfig>): LimitsConfig => ({ ...values, burstMs: 60_000, mode: "soft" });

test("without a word about quotas nothing is limited", () => {
  const { snapshot } = config.load(consumer(""));
  assert.deepEqual(snapshot.quotas, { mode: "soft", burstMs: 60_000, onAuthorityLoss: "share", timeZone: "UTC" });
  assert.deepEqual(snapshot.store, { kind: "sqlite", path: "data/sluice.db" });
  assert.deepEqual(snapshot.consumers[0]?.timeZone, "UTC");
  assert.ok(!JSON.stringify(snapshot).includes("limits"));
});

test("limits may stand everywhere they apply, and arrive with their defaults", () => {
  const { snapshot, warnings } = config.load(
    `
quotas: { mode: hard, burst: 10s, onAuthorityLoss: closed, timeZone: asia/shanghai }
store: { url: "sqlite:state/quotas.db" }
providers:
  - name: p
    dialect: openai
    baseUrl: http://a
    credentials: [ { apiKey: x, limits: { rpm: 5000, tpm: 2000000, concurrency: 9, monthly: { tokens: 1000000000000 } } } ]
models:
  - name: m
    targets: [ { provider: p, model: x, limits: { concurrency: 0 } } ]
    limits: { rpm: 10000, mode: soft }
    maxOutputTokens: 8192
consumers:
  - name: search
    limits: { rpm: "\${RPM}", burst: 1500ms }
    budgets: { monthly: { tokens: 500000000, usd: 3000.25 } }
    grants:
      - { model: m, rpm: 600, tpm: 200000, concurrency: 5, monthly: { tokens: 50000000, usd: 1 }, burst: 60s, mode: soft }
      - { model: "*" }
    keys:
      - { name: a, hash: "sha256:${HASH}", limits: { monthly: { usd: "\${USD}" } } }
      - { name: b, hash: "sha256:${OTHER_HASH}", budgets: { monthly: { tokens: 7 } }, grants: [ { model: m, rpm: 10 } ] }
  - { name: other, timeZone: Europe/Berlin }
`,
    { RPM: "1000", USD: "0.45" },
  );
  assert.deepEqual(warnings, []);
  assert.deepEqual(snapshot.quotas, {
    mode: "hard",
    burstMs: 10_000,
    onAuthorityLoss: "closed",
    timeZone: "Asia/Shanghai",
  });
  assert.deepEqual(snapshot.store, { kind: "sqlite", path: join(config.directory, "state/quotas.db") });
  const inherited = { burstMs: 10_000, mode: "hard" };
  assert.deepEqual(snapshot.providers[0]?.credentials[0]?.limits, {
    rpm: 5000,
    tpm: 2_000_000,
    concurrency: 9,
    monthlyTokens: 1e12,
    ...inherited,
  });
  const [model] = snapshot.models;
  assert.deepEqual(model?.limits, { rpm: 10_000, burstMs: 10_000, mode: "soft" });
  assert.equal(model?.maxOutputTokens, 8192);
  assert.deepEqual(model?.targets[0]?.limits, { concurrency: 0, ...inherited });
  const [search, other] = snapshot.consumers;
  assert.deepEqual([search?.timeZone, other?.timeZone], ["Asia/Shanghai", "Europe/Berlin"]);
  assert.deepEqual(search?.limits, {
    rpm: 1000,
    monthlyTokens: 5e8,
    monthlyNanoUsd: 3_000_250_000_000,
    burstMs: 1_500,
    mode: "hard",
  });
  assert.deepEqual(search?.grants, [
    {
      model: "m",
      limits: soft({ rpm: 600, tpm: 200_000, concurrency: 5, monthlyTokens: 5e7, monthlyNanoUsd: 1e9 }),
    },
    { model: "*" },
  ]);
  assert.deepEqual(search?.keys[0]?.limits, { monthlyNanoUsd: 450_000_000, ...inherited });
  assert.deepEqual(search?.keys[1]?.limits, { monthlyTokens: 7, ...inherited });
  assert.deepEqual(search?.keys[1]?.grants, [{ model: "m", limits: { rpm: 10, ...inherited } }]);
});

test("every mistake about quotas says what is wrong and what to do", () => {
  const USD = "must be dollars from 0 to 9000000: more cannot be counted exactly in billionths of a dollar";
  const WRITE_LIMITS = "is a limit, and limits stand together";
  const cases: [text: string, expected: string][] = [
    [consumer("limits: { rpm: -1 },"), "limits.rpm: must be a whole number from 0 to 1000000000, found -1."],
    [consumer("limits: { rpm: 1.5 },"), "limits.rpm: must be a whole number from 0 to 1000000000, found 1.5."],
    [consumer("limits: { rpm: many },"), 'limits.rpm: must be a whole number from 0 to 1000000000, found "many".'],
    [consumer("limits: { rpm: null },"), "limits.rpm: must be a whole number from 0 to 1000000000."],
    [
      consumer("limits: { tpm: 1e13 },"),
      "limits.tpm: must be a whole number from 0 to 1000000000000, found 10000000000000.",
    ],
    [consumer("limits: { concurrent: 1 },"), 'limits.concurrent: there is no such key. Did you mean "concurrency"?'],
    [consumer("limits: { daily: 1 },"), "limits.daily: a limit of a day is not supported yet. Remove it."],
    [consumer("limits: 5,"), "limits: must be a map, not a number, found 5."],
    [consumer("limits: { mode: strict },"), 'limits.mode: must be one of hard, soft, found "strict".'],
    [consumer("limits: { burst: 2m },"), 'limits.burst: must be from 1s to 60s, found "2m".'],
    [consumer("limits: { burst: 999ms },"), 'limits.burst: must be from 1s to 60s, found "999ms".'],
    [
      consumer("limits: { burst: 10 },"),
      "limits.burst: must be a duration with a unit, such as 300s, 200ms or 1h30m, found 10.",
    ],
    [consumer("limits: { monthly: {} },"), "limits.monthly: limits nothing. Add `tokens` or `usd`."],
    [consumer("limits: { monthly: 5 },"), "limits.monthly: must be a map, not a number, found 5."],
    [
      consumer("limits: { monthly: { tokens: 1000000000001 } },"),
      "limits.monthly.tokens: must be a whole number from 0 to 1000000000000, found 1000000000001.",
    ],
    [consumer("budgets: { monthly: { usd: 9000001 } },"), `budgets.monthly.usd: ${USD}, found 9000001.`],
    [consumer("budgets: { monthly: { usd: -0.01 } },"), `budgets.monthly.usd: ${USD}, found -0.01.`],
    [consumer("budgets: { monthly: { usd: $5 } },"), `budgets.monthly.usd: ${USD}, found "$5".`],
    [consumer("budgets: { monthly: { usd: .inf } },"), "budgets.monthly.usd: must be a finite number."],
    [
      consumer("budgets: { monthly: { usd: 0.0000000001 } },"),
      "budgets.monthly.usd: may have at most 9 decimals: less than a billionth of a dollar is not counted",
    ],
    [
      consumer("limits: { monthly: { usd: 1 } }, budgets: { monthly: { usd: 2 } },"),
      "budgets.monthly: stands beside `limits.monthly`. Keep one of them.",
    ],
    [consumer("budgets: { daily: { usd: 1 } },"), "budgets.daily: a budget of a day is not supported yet. Remove it."],
    [consumer("rpm: 5,"), `consumers[0].rpm: ${WRITE_LIMITS}. Write \`limits: { rpm: … }\`.`],
    [consumer("", "monthly: { usd: 1 }"), `keys[0].monthly: ${WRITE_LIMITS}. Write \`limits: { monthly: … }\`.`],
    [
      consumer("", "", "limits: { rpm: 1 }"),
      "grants[0].limits: is not needed in a grant. Write them beside `model`: `{ model: …, rpm: 60 }`.",
    ],
    [consumer("", "", "rpm: -1"), "grants[0].rpm: must be a whole number from 0 to 1000000000, found -1."],
    [
      consumer("timeZone: Asia/Shangai,"),
      'timeZone: must be a time zone\'s IANA name, such as Asia/Shanghai or UTC; there is no zone "Asia/Shangai". Did you mean "Asia/Shanghai"?',
    ],
    [
      consumer('timeZone: "+08:00",'),
      'timeZone: must be a time zone\'s IANA name, such as Asia/Shanghai or UTC, found "+08:00". Name a place in that zone.',
    ],
    [consumer("timeZone: Asia/Kolkatta,"), 'Did you mean "Asia/Kolkata"?'],
    [consumer("timeZone: 8,"), "timeZone: must be a text, not a number, found 8. Quote it."],
    ["quotas: { rpm: 5 }", "quotas.rpm: limits nobody here. Limits stand under"],
    ["limits: { rpm: 5 }", "limits: limits nobody here. Limits stand under"],
    ["quotas: { onAuthorityLoss: opn }", 'found "opn". Did you mean "open"?'],
    ["quotas: { burst: 0s }", "quotas.burst: must be longer than 0 and at most 24d"],
    [
      "store: { url: postgres://u:canary@h/d }",
      "store.url: PostgreSQL is not supported yet. Use sqlite:./data/sluice.db",
    ],
    [
      "store: { url: ./data/sluice.db }",
      "store.url: must be sqlite: and a file's path, such as sqlite:./data/sluice.db.",
    ],
    ['store: { url: "sqlite:" }', "store.url: must be sqlite: and a file's path"],
    ['store: { url: "sqlite::memory:" }', "store.url: names no file, and what is counted must outlive a restart."],
    [
      "store: { url: sqlite://data/x.db }",
      "store.url: names a host. Write sqlite:relative/path or sqlite:/absolute/path.",
    ],
    [
      `${PROVIDER}models: [ { name: m, maxOutputTokens: 0, targets: [ { provider: p, model: x } ] } ]`,
      "models[0].maxOutputTokens: must be a whole number from 1 to 1000000000, found 0.",
    ],
    [
      `${PROVIDER}models: [ { name: m, targets: [ { provider: p, model: x, rpm: 5 } ] } ]`,
      `models[0].targets[0].rpm: ${WRITE_LIMITS}.`,
    ],
  ];
  for (const [text, expected] of cases) {
    const problems = config.problems(text);
    assert.ok(
      problems.some((problem) => problem.includes(expected)),
      `${text}\n${problems.join("\n")}\nexpected: ${expected}`,
    );
    assert.equal(problems.length, 1, problems.join("\n"));
    assert.ok(!problems.join("").includes("canary"));
  }
});

test("absolute paths of the store may be written with one slash or three", () => {
  for (const url of ["sqlite:/var/lib/sluice.db", "sqlite:///var/lib/sluice.db"]) {
    assert.equal(config.load(`store: { url: "${url}" }`).snapshot.store.path, "/var/lib/sluice.db");
  }
});

test("limits that never bite are warnings", () => {
  const { warnings } = config.load(`${PROVIDER}models:
  - { name: m, targets: [ { provider: p, model: x } ], limits: {} }
consumers:
  - name: c
    limits: { rpm: 60, monthly: { usd: 1.5 } }
    grants: [ { model: m, tpm: 100 }, { model: "*", rpm: 61, burst: 1s } ]
    keys:
      - name: k
        hash: "sha256:${HASH}"
        limits: { rpm: 60, monthly: { usd: 2 } }
        grants: [ { model: m, tpm: 101, rpm: 60 }, { model: n*, mode: hard } ]
  - { name: d, grants: [ { model: m } ], budgets: {} }
`);
  assert.deepEqual(
    warnings.map((warning) => formatProblem(warning).slice(config.path.length + 1)),
    [
      "3:64: models[0].limits: limits nothing. Add `rpm`, `tpm`, `concurrency` or `monthly`, or remove it.",
      "7:58: consumers[0].grants[1].rpm: is more than the limit of its consumer (60), which holds as well, found 61. Lower it.",
      "11:44: consumers[0].keys[0].limits.monthly.usd: is more than the limit of its consumer (1.5), which holds as well, found 2. Lower it.",
      '12:36: consumers[0].keys[0].grants[0].tpm: is more than the limit of its consumer of "m" (100), which holds as well, found 101. Lower it.',
      '12:61: consumers[0].keys[0].grants[1].model: grants "n*", and there is no such model.',
      '12:71: consumers[0].keys[0].grants[1].mode: is about limits, of which this grant has none, found "hard". Remove it, or add `rpm` or others.',
      "13:51: consumers[1].budgets: limits nothing. Add `monthly`, or remove it.",
    ],
  );
});

test("dollars become billionths exactly", () => {
  const cases: [number, number | undefined][] = [
    [0, 0],
    [0.1, 100_000_000],
    [0.45, 450_000_000],
    [1.005, 1_005_000_000],
    [1e-9, 1],
    [1e-10, undefined],
    [0.1234567891, undefined],
    [8_999_999.99, 8_999_999_990_000_000],
    [9_000_000, 9_000_000_000_000_000],
  ];
  for (const [amount, nano] of cases) {
    assert.equal(parseNanoUsd(amount), nano, String(amount));
  }
  for (let cents = 1; cents < 100_000; cents += 7) {
    assert.equal(parseNanoUsd(cents / 100), cents * 10_000_000);
  }
});

test("time zones are known by name, in any case, and keep their names", () => {
  assert.equal(parseTimeZone("europe/berlin"), "Europe/Berlin");
  assert.equal(parseTimeZone("utc"), "UTC");
  // the platform knows these by their old names only
  assert.equal(parseTimeZone("asia/kolkata"), "Asia/Kolkata");
  assert.equal(parseTimeZone("US/Pacific"), "US/Pacific");
  for (const text of ["", "Mars/Phobos", "+08:00", "8", "x".repeat(100)]) {
    assert.equal(parseTimeZone(text), undefined, text);
  }
});
