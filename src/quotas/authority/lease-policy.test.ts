import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type LeaseSituation, planLease, refillMs, stockOf, type Shortfall } from "./lease-policy.ts";

const busy: LeaseSituation = {
  capacity: 10_000,
  used: 0,
  others: 0,
  machines: 4,
  lease: 0,
  reserved: 0,
  waiting: 0,
  smallestWaiting: 0,
  largestRequest: 10,
  recentUse: 100,
  isContested: false,
};

test("the stock is two seconds' use, at least one request, at most a fair part of what is left", () => {
  assert.equal(stockOf(busy), 100);
  assert.equal(stockOf({ ...busy, recentUse: 3 }), 10);
  assert.equal(stockOf({ ...busy, recentUse: 100_000 }), 1_250);
  assert.equal(stockOf({ ...busy, recentUse: 100_000, used: 6_000 }), 500);
  assert.equal(stockOf({ ...busy, recentUse: 100_000, machines: 1 }), 5_000);
});

test("what is free of the lease itself counts as left", () => {
  const half = { ...busy, recentUse: 100_000, lease: 1_250, reserved: 0 };
  assert.equal(stockOf(half), 1_250);
});

test("nothing is held in stock where little is left, others lack it, or nobody comes", () => {
  assert.equal(stockOf({ ...busy, used: 9_501 }), 0);
  assert.equal(stockOf({ ...busy, others: 9_501 }), 0);
  assert.equal(stockOf({ ...busy, isContested: true }), 0);
  assert.equal(stockOf({ ...busy, recentUse: 0 }), 0);
});

test("who waits is asked for at once, however little is left", () => {
  assert.deepEqual(planLease({ ...busy, used: 9_999, waiting: 3, smallestWaiting: 1, recentUse: 0 }), {
    wanted: 3,
    need: 1,
    isUrgent: true,
  });
  const plan = planLease({ ...busy, lease: 40, reserved: 40, waiting: 30, smallestWaiting: 20 });
  assert.deepEqual(plan, { wanted: 170, need: 60, isUrgent: true });
});

test("a lease is filled up when half of the stock is gone", () => {
  assert.equal(planLease({ ...busy, lease: 51 }).isUrgent, false);
  assert.equal(planLease({ ...busy, lease: 49 }).isUrgent, true);
  assert.equal(planLease({ ...busy, lease: 149, reserved: 100 }).isUrgent, true);
});

test("an idle lease is given back, but not what runs", () => {
  assert.deepEqual(planLease({ ...busy, lease: 500, reserved: 20, recentUse: 0 }), {
    wanted: 20,
    need: 20,
    isUrgent: false,
  });
  assert.equal(planLease({ ...busy, lease: 500, reserved: 20, isContested: true }).isUrgent, true);
});

test("an answer that lacked something is asked anew when as much has flowed back, as fast as it came before", () => {
  const shortfall: Shortfall = { ratePerMs: 0.4, granted: 5, elapsedMs: 50, missing: 6, smallestMissing: 1 };
  assert.equal(refillMs(shortfall), 60);
  assert.equal(refillMs({ ...shortfall, granted: 500 }), 15, "no faster than to all machines together");
  assert.equal(refillMs({ ...shortfall, granted: 0 }), 2.5, "after nothing, when the smallest can be served");
  assert.equal(refillMs({ ...shortfall, granted: 0, smallestMissing: -3 }), 0);
  assert.equal(refillMs({ ...shortfall, ratePerMs: 0 }), 0, "a month gives nothing back");
});

test("machines that all plan alike never want more stock than half of what is left", () => {
  const amount = fc.integer({ min: 0, max: 10_000 });
  fc.assert(
    fc.property(
      amount,
      amount,
      fc.integer({ min: 1, max: 20 }),
      amount,
      (used, recentUse, machines, largestRequest) => {
        const situation = { ...busy, used, recentUse, machines, largestRequest };
        assert.ok(machines * stockOf(situation) <= Math.max(0, busy.capacity - used) / 2);
        const { wanted, need } = planLease(situation);
        assert.ok(Number.isInteger(wanted) && need <= wanted);
      },
    ),
  );
});
