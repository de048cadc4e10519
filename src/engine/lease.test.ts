import assert from "node:assert/strict";
import { test } from "node:test";
import type { Engine } from "./engine.ts";
import { EngineLease } from "./lease.ts";

function leaseOf(): { lease: EngineLease; disposed: () => number } {
  let count = 0;
  const engine = {
    dispose() {
      count++;
    },
  } as Engine;
  return { lease: new EngineLease(engine), disposed: () => count };
}

test("an engine is disposed of when it is retired and its last request has ended, in either order, once", () => {
  const busy = leaseOf();
  busy.lease.hold();
  busy.lease.hold();
  busy.lease.retire();
  busy.lease.letGo();
  assert.equal(busy.disposed(), 0);
  busy.lease.letGo();
  assert.equal(busy.disposed(), 1);

  const idle = leaseOf();
  idle.lease.hold();
  idle.lease.letGo();
  assert.equal(idle.disposed(), 0);
  idle.lease.retire();
  assert.equal(idle.disposed(), 1);
});
