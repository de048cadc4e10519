import assert from "node:assert/strict";
import { test } from "node:test";
import { MonthClock } from "./months.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const iso = (epochMs: number): string => new Date(epochMs).toISOString().replace(".000Z", "Z");

/** The month at a moment, with its bounds as people read them. */
function at(timeZone: string, moment: string): [month: number, startsAt: string, endsAt: string] {
  const { month, startsAt, endsAt } = MonthClock.of(timeZone).at(Date.parse(moment));
  return [month, iso(startsAt), iso(endsAt)];
}

test("a month lasts from local midnight of its first day to that of the next", () => {
  const cases: [zone: string, moment: string, month: number, startsAt: string, endsAt: string][] = [
    ["UTC", "2026-11-25T21:05:34Z", 202611, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"],
    ["UTC", "2026-12-31T23:59:59.999Z", 202612, "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"],
    ["Asia/Shanghai", "2026-11-30T15:59:59Z", 202611, "2026-10-31T16:00:00Z", "2026-11-30T16:00:00Z"],
    ["Asia/Shanghai", "2026-11-30T16:00:00Z", 202612, "2026-11-30T16:00:00Z", "2026-12-31T16:00:00Z"],
    ["Asia/Kathmandu", "2026-03-01T00:00:00Z", 202603, "2026-02-28T18:15:00Z", "2026-03-31T18:15:00Z"],
    // summer time begins and ends within the month
    ["Europe/Berlin", "2026-03-15T00:00:00Z", 202603, "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"],
    ["Europe/Berlin", "2026-10-15T00:00:00Z", 202610, "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"],
    // leap years, and those that are none
    ["UTC", "2028-02-29T12:00:00Z", 202802, "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"],
    ["UTC", "2100-02-28T12:00:00Z", 210002, "2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z"],
    ["Asia/Tokyo", "2000-02-29T12:00:00Z", 200002, "2000-01-31T15:00:00Z", "2000-02-29T15:00:00Z"],
    // before the epoch, with an offset of odd seconds (London's local mean time)
    ["Europe/London", "1840-06-15T00:00:00Z", 184006, "1840-06-01T00:01:15Z", "1840-07-01T00:01:15Z"],
  ];
  for (const [zone, moment, ...expected] of cases) {
    assert.deepEqual(at(zone, moment), expected, `${zone} ${moment}`);
  }
});

test("where clocks skip midnight, the month begins with the moment of the jump", () => {
  // 1 May 1985, 00:00 at UTC+2, was 01:00 at UTC+3 at once.
  assert.equal(at("Asia/Beirut", "1985-05-10T00:00:00Z")[1], "1985-04-30T22:00:00Z");
  // 1 October 2017, 00:00 at UTC-4, was 01:00 at UTC-3 at once.
  assert.equal(at("America/Asuncion", "2017-10-01T03:59:59.999Z")[0], 201709);
  assert.deepEqual(at("America/Asuncion", "2017-10-01T04:00:00Z"), [
    201710,
    "2017-10-01T04:00:00Z",
    "2017-11-01T03:00:00Z",
  ]);
  // The last day of 1994 was skipped in the east of Kiribati: 30 December was followed by New Year.
  assert.equal(at("Pacific/Kiritimati", "1995-01-01T00:00:00Z")[1], "1994-12-31T10:00:00Z");
});

test("where midnight comes twice, the month begins with the first", () => {
  // 1 November 2026, 01:00 at UTC-4, is 00:00 at UTC-5 once more.
  assert.equal(at("America/Havana", "2026-11-01T05:30:00Z")[1], "2026-11-01T04:00:00Z");
  assert.equal(at("America/Havana", "2026-11-01T03:59:59Z")[0], 202610);
});

test("a clock that goes back over midnight does not bring the old month back", () => {
  // 1 November 2009: 00:01 in Newfoundland was followed by 23:01 of 31 October.
  const zone = "America/St_Johns";
  assert.equal(at(zone, "2009-11-01T02:29:59Z")[0], 200910);
  for (const moment of ["2009-11-01T02:30:00Z", "2009-11-01T02:31:00Z", "2009-11-01T03:29:00Z"]) {
    assert.deepEqual(at(zone, moment), [200911, "2009-11-01T02:30:00Z", "2009-12-01T03:30:00Z"], moment);
  }
});

test("a skipped day shortens its month and moves no boundary", () => {
  // 29 December 2011 was followed by 31 December in Samoa.
  const { month, startsAt, endsAt } = MonthClock.of("Pacific/Apia").at(Date.parse("2011-12-30T09:59:59Z"));
  assert.deepEqual([month, iso(startsAt), iso(endsAt)], [201112, "2011-12-01T10:00:00Z", "2011-12-31T10:00:00Z"]);
  assert.equal(endsAt - startsAt, 30 * DAY_MS);
});

test("a month is one object, also to a clock that jumps back and forth over its end", () => {
  const clock = MonthClock.of("Europe/Berlin");
  assert.equal(MonthClock.of("Europe/Berlin"), clock);
  const november = clock.at(Date.parse("2026-11-30T22:59:59.999Z"));
  const december = clock.at(november.endsAt);
  assert.equal(december.month, 202612);
  for (let times = 0; times < 3; times++) {
    assert.equal(clock.at(november.endsAt - 1), november);
    assert.equal(clock.at(november.endsAt + times), december);
  }
  assert.equal(clock.at(november.startsAt - 1).month, 202610);
  assert.deepEqual(clock.at(november.startsAt), november);
});

test("no zone and no time of the calendar are refused", () => {
  assert.throws(() => MonthClock.of("Mars/Phobos"), RangeError);
  for (const moment of [Number.NaN, Infinity, -Infinity, 1e17, Date.UTC(1799, 0, 1)]) {
    assert.throws(() => MonthClock.of("UTC").at(moment), RangeError, String(moment));
  }
});

/** Year and month as local clocks show them, by another way than the one under test. */
function localMonth(format: Intl.DateTimeFormat, epochMs: number): number {
  return Number(format.format(epochMs).replaceAll(/\D/g, "").slice(0, 6));
}

test("in every zone months follow each other without a gap, and begin when the calendar first shows them", () => {
  let seed = 20261125;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  for (const zone of [...Intl.supportedValuesOf("timeZone"), "UTC"]) {
    const clock = MonthClock.of(zone);
    const format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, year: "numeric", month: "2-digit" });
    for (const from of [1900, 1970]) {
      const moment = Date.UTC(from + random(70), random(12), 1 + random(28), random(24), random(60));
      const { month, startsAt, endsAt } = clock.at(moment);
      const told = `${zone} ${iso(moment)}: ${month} from ${iso(startsAt)} to ${iso(endsAt)}`;
      assert.ok(startsAt <= moment && moment < endsAt, told);
      assert.equal(clock.at(startsAt - 1).endsAt, startsAt, told);
      assert.equal(clock.at(endsAt).startsAt, endsAt, told);
      assert.equal(localMonth(format, startsAt), month, told);
      for (let before = startsAt - 1; before > startsAt - 30 * HOUR_MS; before -= HOUR_MS / 2) {
        assert.ok(localMonth(format, before) < month, `${told}, but shown already at ${iso(before)}`);
      }
      for (let within = startsAt + 3 * HOUR_MS; within < endsAt; within += DAY_MS) {
        assert.equal(localMonth(format, within), month, told);
      }
    }
  }
});

test("moments are written as people there write them", () => {
  const moment = Date.parse("2026-11-30T16:00:00.999Z");
  const cases: [string, string][] = [
    ["UTC", "2026-11-30T16:00:00+00:00"],
    ["Asia/Shanghai", "2026-12-01T00:00:00+08:00"],
    ["America/St_Johns", "2026-11-30T12:30:00-03:30"],
    ["Asia/Kathmandu", "2026-11-30T21:45:00+05:45"],
    ["America/New_York", "2026-11-30T11:00:00-05:00"],
  ];
  for (const [zone, expected] of cases) assert.equal(MonthClock.of(zone).text(moment), expected);
  assert.equal(MonthClock.of("America/New_York").text(Date.parse("2026-07-01T04:00:00Z")), "2026-07-01T00:00:00-04:00");
});
